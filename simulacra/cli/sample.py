"""Verbs that use a trained model: sample, reconstruct, manifold, interpolate, traverse, encode, translate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulacra.cli.output import (
    counted,
    open_run,
    picture_target,
    refuse_existing,
    refuse_picture_name,
    save_frames,
    save_sheet,
    say,
    target,
)
from simulacra.cli.parser import Verbs, add_data_root, add_out, add_prior, count, natural, positive
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.runs.run import Run


ROUTES = ("latent", "fade", "flow", "transport")  # the last three of simulacra.inbetween, without importing torch


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    sub = verbs.add_on_run("sample", _sample, "Draw new images.")
    sub.add_argument("--n", type=count, default=64, metavar="N", help="how many (64)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="the same seed gives the same images (0)")
    sub.add_argument(
        "--code", type=_code, action="append", default=[], metavar="NAME=VALUE",
        help="set a named code, such as digit=3; may be repeated",
    )  # fmt: skip
    sub.add_argument("--label", metavar="K", help="draw this class only, by name or index")
    add_out(sub, "FILE.png|DIR", "one sheet, or a folder of single images")
    sub.add_argument("--truncation", type=positive, metavar="T", help="redraw latents beyond T: typical, less varied")
    add_prior(sub)

    sub = verbs.add_on_run("reconstruct", _reconstruct, "Show originals beside their reconstructions.")
    sub.add_argument("--images", type=Path, metavar="PATH", help="an image, a folder or a zip (test images)")
    sub.add_argument("--n", type=count, default=12, metavar="N", help="how many at most (12)")
    add_out(sub, "FILE.png")

    sub = verbs.add_on_run("manifold", _manifold, "Lay a two-dimensional latent space out as one picture.")
    sub.add_argument("--side", type=count, default=15, metavar="N", help="images along each axis (15)")
    add_out(sub, "FILE.png")

    sub = verbs.add("interpolate", _interpolate, "Walk from one image to another, through latent space or without it.")
    sub.add_argument(
        "run", nargs="?", metavar="RUN", help="a run folder, or a .safetensors file; only the route latent needs it"
    )
    add_data_root(sub)
    sub.add_argument("--route", choices=ROUTES, default="latent", help="how to get from one to the other (latent)")
    sub.add_argument(
        "--from", dest="start", type=Path, metavar="IMG", help="the first image (a test image or a sample)"
    )
    sub.add_argument("--to", dest="end", type=Path, metavar="IMG", help="the last image (a test image or a sample)")
    sub.add_argument("--steps", type=count, default=10, metavar="N", help="images on the way (10)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="chooses the ends that are not given (0)")
    add_out(sub, "FILE.png|.gif|.mp4|DIR", "a strip, a film, or single frames")

    sub = verbs.add_on_run("traverse", _traverse, "Move one latent or code at a time, a row each.")
    sub.add_argument("--steps", type=count, default=11, metavar="N", help="images in a row (11)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="chooses the image to start from (0)")
    add_out(sub, "FILE.png")

    sub = verbs.add_on_run(
        "encode", _encode, "Write the latents of images: arrays latents, names, and labels where there are any."
    )
    sub.add_argument("images", metavar="PATH", help="an image, a folder, a zip, or a data set's name (its test images)")
    add_out(sub, "FILE.npz", required=True)

    sub = verbs.add_on_run("translate", _translate, "Translate images of any size from one domain to the other.")
    sub.add_argument(
        "images",
        type=Path,
        metavar="PATH",
        help="an image, a folder, a zip, or the run's own data by name",
    )
    sub.add_argument("--to", choices=("A", "B"), default="B", help="the domain to translate to (B)")
    sub.add_argument("--size", type=count, metavar="N", help="bring the shorter side to N pixels first (as they are)")
    sub.add_argument(
        "--convert", action="store_true", help="also take grey images where colour is needed, and the reverse"
    )
    sub.add_argument(
        "--max-megapixels", type=positive, metavar="N", help="larger pictures are refused unread (that of the run)"
    )
    add_out(sub, "DIR", "the folder of the translations (RUN/translated-B)")


def _code(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE, such as digit=3")
    return name, value


def _sample(options: argparse.Namespace) -> None:
    run = open_run(options)
    path = picture_target(options, run, "sample.png", folder_allowed=True)
    x = run.sample(
        options.n,
        seed=options.seed,
        label=options.label,
        codes=dict(options.code),
        prior=options.prior,
        truncation=options.truncation,
    )
    save_sheet(x, path, force=options.force)


def _reconstruct(options: argparse.Namespace) -> None:
    from simulacra import images

    run = open_run(options)
    path = picture_target(options, run, "reconstruct.png")
    originals = run.examples(options.n) if options.images is None else run.read(options.images)[1][: options.n]
    rows = [("original", originals), ("reconstruction", run.reconstruct(originals))]
    say(images.save(images.labelled_rows(rows), path))


def _manifold(options: argparse.Namespace) -> None:
    from simulacra import images

    run = open_run(options)
    path = picture_target(options, run, "manifold.png")
    say(images.save(images.grid(images.magnified(run.manifold(options.side)), options.side, gap=0), path))


def _interpolate(options: argparse.Namespace) -> None:
    if (options.start is None) != (options.end is None):
        raise ConfigError("interpolate needs both --from IMG and --to IMG, or neither.")
    if options.run is None:
        _interpolate_without_run(options)
        return
    run = open_run(options)
    path = picture_target(options, run, "interpolate.png", folder_allowed=True, video_allowed=True)
    start, end = (None if given is None else _one_image(run, given) for given in (options.start, options.end))
    frames = run.interpolate(start, end, steps=options.steps, seed=options.seed, route=options.route)
    save_frames(frames, path, force=options.force)


def _interpolate_without_run(options: argparse.Namespace) -> None:
    """From image to image in the size of the first."""
    if options.start is None:
        raise ConfigError("interpolate without a RUN needs two images: --from IMG --to IMG --route fade")
    if options.route == "latent":
        others = ", ".join(ROUTES[1:])
        raise ConfigError(f"The route latent needs a model: simulacra interpolate RUN. Without one, --route {others}.")
    path = options.out or Path("interpolate.png")
    refuse_picture_name(path, folder_allowed=True, video_allowed=True)
    if options.out is not None and not path.is_dir():
        refuse_existing(path, options.force)
    from simulacra import images
    from simulacra.steering import inbetween

    start, end = (images.read(given, str(given)) for given in (options.start, options.end))
    channels = 1 if start.mode == end.mode == "L" else 3
    a, b = (images.from_bytes(images.to_tensor(picture, channels)) for picture in (start, end.resize(start.size)))
    save_frames(inbetween.route(options.route)(a, b, options.steps), path, force=options.force)


def _one_image(run: Run, path: Path) -> Tensor:
    names, x = run.read(path)
    if len(names) != 1:
        raise ConfigError(f"{path} holds {len(names)} images; name one image file.")
    return x[0]


def _traverse(options: argparse.Namespace) -> None:
    from simulacra import images

    run = open_run(options)
    path = picture_target(options, run, "traverse.png")
    say(images.save(images.labelled_rows(run.traverse(steps=options.steps, seed=options.seed)), path))


def _encode(options: argparse.Namespace) -> None:
    import numpy as np

    from simulacra import data, images
    from simulacra.models import Coded

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
    from simulacra.storage import atomic

    with atomic(options.out) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    say(options.out, f"{len(x):,} latents of {arrays['latents'].shape[1]} dimensions")


def _translate(options: argparse.Namespace) -> None:
    run = open_run(options)
    folder = target(options, run, f"translated-{options.to}")
    if folder.is_file() or folder.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".gif"):
        raise ConfigError(f"translate writes a folder of images, not the file {folder}. Name a folder with --out.")
    if str(options.images) == run.config.data.name and not options.images.exists():
        written = run.translate_test(folder, options.to, force=options.force)
    else:
        written = run.translate_files(
            options.images,
            folder,
            options.to,
            convert=options.convert,
            size=options.size,
            max_megapixels=options.max_megapixels,
            force=options.force,
            counted=counted,
        )
    say(folder, f"{len(written):,} {'image' if len(written) == 1 else 'images'} translated to domain {options.to}")


def _classes_in(names: list[str]) -> dict[str, Any]:
    """Labels and the classes they stand for, where the images lie in more than one subfolder."""
    import numpy as np

    folders = [name.rpartition("/")[0] for name in names]
    classes = sorted(set(folders))
    if len(classes) < 2:
        return {}
    return {"labels": np.array([classes.index(folder) for folder in folders]), "classes": np.array(classes)}
