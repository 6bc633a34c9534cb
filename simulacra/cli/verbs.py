"""The verbs by group, each with the module that holds it and one line: all that `simulacra --help` has to know.

A verb's module is imported when the verb is called, so help and mistakes are answered at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from simulacra.cli.parser import Parser, Verbs
from simulacra.errors import ConfigError, nearest
from simulacra.version import __version__

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Train a model": {
        "quickstart": ("quickstart", "Train on a folder of pictures, or on embedded digits."),
        "train": ("train", "Train a recipe, on its own data or on yours."),
        "report": ("report", "Write the report of a run, finished or not."),
        "recipes": ("recipes", "List the recipes, with the score and the time to expect."),
        "zoo": ("zoo", "List the trained models in the package."),
        "data": ("data", "List the data sets that have a name, and where they are."),
    },
    "Use a trained model": {
        "sample": ("sample", "Draw new images."),
        "reconstruct": ("reconstruct", "Show images above their reconstructions."),
        "manifold": ("manifold", "Show a two-dimensional latent space as one picture."),
        "interpolate": ("interpolate", "Move from one image to another in steps."),
        "traverse": ("traverse", "Change one latent or one named code at a time."),
        "encode": ("encode", "Write the latents of images into a NumPy archive."),
        "fit-prior": ("fit_prior", "Fit a distribution to the latents, to sample from."),
        "invert": ("invert", "Find the latents of given images by gradient descent."),
        "arithmetic": ("arithmetic", "Add the difference between two groups of images."),
        "translate": ("translate", "Translate images from one domain to the other."),
        "inpaint": ("inpaint", "Fill in the pixels that a mask marks as missing."),
        "anomaly": ("anomaly", "Find pictures unlike those a model was trained on."),
        "repair": ("inpaint", "Find and replace what the model cannot explain."),
        "export": ("export", "Write a model as files for other programs."),
        "card": ("card", "Write a model card in Markdown."),
        "push": ("push", "Publish a run on the Hugging Face Hub."),
    },
    "Work in the browser": {
        "studio": ("studio", "Train, steer and draw on a page in your browser, offline."),
    },
    "Work on pictures and data sets": {
        "transform": ("transform", "Change pictures by one operation or a random pipeline."),
        "compose": ("compose", "Combine pictures: overlays, seamless cloning, collages."),
        "pack": ("pack", "Decode a data set once into one file, for data larger than memory."),
        "augment": ("augment", "Write a data set enlarged by changed and generated images."),
    },
    "Measure": {
        "evaluate": ("evaluate", "Measure a run on held-out images."),
        "compare": ("compare", "Compare runs that were evaluated in the same way."),
        "bench": ("bench", "Reproduce published results and write the ledger."),
    },
}
PLACES = {name: module for verbs in GROUPS.values() for name, (module, _) in verbs.items()}


def parser(words: list[str]) -> tuple[Parser, list[str]]:
    """Return the parser of the verb, or of the verb's operation, that the first words name, and the words after."""
    name, *rest = words
    if name not in PLACES:
        _refuse(name)
    verbs = Verbs()
    import_module(f"simulacra.cli.{PLACES[name]}").add_verbs(verbs)
    return verbs.parsers[name].addressed(rest)


def _refuse(name: str) -> None:
    if name.startswith("-"):
        hint = nearest(name.lstrip("-"), ("help", "version", "debug"), prefix="--")
        raise ConfigError(f"Unknown option {name}.{hint} Options of a verb stand after it: simulacra VERB --help")
    raise ConfigError(f"Unknown verb '{name}'.{nearest(name, PLACES)} Verbs: {', '.join(PLACES)}.")


def version() -> str:
    """Return the line of `simulacra --version`."""
    return f"simulacra {__version__}"


def overview() -> Iterator[str]:
    """Yield the lines of `simulacra --help`."""
    yield "usage: simulacra VERB ..."
    yield ""
    yield "Train, steer and measure the classic deep generative models of images."
    for title, verbs in GROUPS.items():
        yield ""
        yield f"{title}:"
        yield from (f"  {name:<13}{line}" for name, (_, line) in verbs.items())
    yield ""
    yield "options:"
    yield "  -h, --help   Show this text; after a verb, the verb's options."
    yield "  --version    Show the version."
    yield "  --plugin     After a verb: load your own families or metrics from a Python file."
    yield "  --debug      After an error, show where in the code it occurred."
    yield ""
    yield "Start with: simulacra quickstart"
