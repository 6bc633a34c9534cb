"""The verb encode."""

from __future__ import annotations

import argparse
from typing import Any

from simulacra.cli.output import open_run, refuse_existing, say
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import source
from simulacra.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add_on_run(
        "encode",
        _encode,
        "Write the latents of images into a NumPy archive: latents, names, and labels if there are any.",
    )
    sub.add_argument(
        "images", type=source, metavar="PATH", help="image, folder, zip, or the name of a data set (its test images)"
    )
    add_out(sub, "FILE.npz", "archive to write", required=True)


def _encode(options: argparse.Namespace) -> None:
    import numpy as np

    from simulacra import data, images
    from simulacra.models import Coded
    from simulacra.storage import atomic

    if options.out.suffix != ".npz":
        raise ConfigError(f"encode writes a NumPy archive: --out must end in .npz, not '{options.out.name}'.")
    refuse_existing(options.out, options.force)
    run = open_run(options)
    arrays: dict[str, Any] = {}
    if options.images in data.SOURCES:
        values = run.config.data.model_copy(update={"name": options.images})
        test = data.load(values, options.data_root).test
        x = images.from_bytes(test.images)
        if test.labels is not None:
            arrays["labels"] = test.labels.numpy()
    else:
        names, x = run.read(options.images)
        arrays["names"] = np.array(names)
        arrays.update(_classes_in(names))
    latents = run.encode(x)
    arrays["latents"] = latents.numpy()
    if isinstance(run.model, Coded):
        arrays.update({name: value.numpy() for name, value in run.model.codes.values(latents).items()})
    with atomic(options.out) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    say(options.out, f"{len(x):,} latents of {arrays['latents'].shape[1]} dimensions")


def _classes_in(names: list[str]) -> dict[str, Any]:
    """Labels and the classes they stand for, where the images lie in more than one subfolder."""
    import numpy as np

    folders = [name.rpartition("/")[0] for name in names]
    classes = sorted(set(folders))
    if len(classes) < 2:
        return {}
    return {"labels": np.array([classes.index(folder) for folder in folders]), "classes": np.array(classes)}
