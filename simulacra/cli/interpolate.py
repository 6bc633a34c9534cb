"""The verb interpolate: through a model's latent space, or from image to image without a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import open_run, picture_target, refuse_existing, refuse_picture_name, save_frames
from simulacra.cli.parser import Verbs, add_data_root, add_out
from simulacra.cli.words import count, natural, source
from simulacra.config.choices import ROUTES
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.runs.run import Run


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add(
        "interpolate", _interpolate, "Move from one image to another in steps, through latent space or without a model."
    )
    sub.add_argument(
        "run", nargs="?", type=source, metavar="RUN",
        help="a run folder, or a .safetensors file; needed only by the route latent",
    )  # fmt: skip
    add_data_root(sub)
    sub.add_argument(
        "--route", choices=ROUTES, default="latent", help="route from one image to the other (default: latent)"
    )
    sub.add_argument(
        "--from", dest="start", type=Path, metavar="IMG", help="first image (default: a test image or a sample)"
    )
    sub.add_argument(
        "--to", dest="end", type=Path, metavar="IMG", help="last image (default: a test image or a sample)"
    )
    sub.add_argument("--steps", type=count, default=10, metavar="N", help="number of images on the way (default: 10)")
    sub.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="random seed for choosing the images that are not given (default: 0)",
    )
    add_out(
        sub,
        "FILE.png|.gif|.mp4|DIR",
        "strip of images, film, or folder for single frames (default: RUN/interpolate.png)",
    )


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
    """Move from image to image, in the size of the first."""
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
        raise ConfigError(f"{path} contains {len(names)} images. Name a single image file.")
    return x[0]
