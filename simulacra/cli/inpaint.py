"""Verbs that edit images with a trained model: inpaint, repair."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.cli.output import open_run, picture_target, say, show
from simulacra.cli.parser import Verbs, add_out
from simulacra.cli.words import count, natural

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.runs.run import Run


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    inpaint = verbs.add_on_run("inpaint", _inpaint, "Fill in missing pixels so that they fit the known ones.")
    repair = verbs.add_on_run("repair", _repair, "Find what the model cannot explain in images, and replace it.")
    for sub in (inpaint, repair):
        sub.add_argument("images", type=Path, metavar="IMAGES", help="image, folder or zip")
        sub.add_argument("--n", type=count, default=12, metavar="N", help="maximum number of images (default: 12)")
        sub.add_argument(
            "--steps", type=count, default=200, metavar="N", help="number of steps of gradient descent (default: 200)"
        )
        sub.add_argument(
            "--seed", type=natural, default=0, metavar="N", help="random seed of the latents to start from (default: 0)"
        )
        add_out(sub, "FILE.png|DIR", "sheet that shows every stage, or folder for the results alone")
    inpaint.add_argument(
        "--mask", type=Path, metavar="MASK", help="mask that marks the missing pixels, white on black: one image, or "
                                                  "a folder or zip with the same file names (default: a square in "
                                                  "the middle)",
    )  # fmt: skip


def _inpaint(options: argparse.Namespace) -> None:
    from simulacra.steering import inpaint

    run, path, names, x = _opened(options, "inpaint.png")
    known = _known(run, options.mask, names)
    y = run.inpaint(x, known, steps=options.steps, seed=options.seed)
    _save([("original", x), ("known", x * known), ("filled in", y)], names, path)
    show(f"mean squared error of the masked pixels: {inpaint.masked_error(x, y, known).mean():.4f}")


def _repair(options: argparse.Namespace) -> None:
    run, path, names, x = _opened(options, "repair.png")
    repaired = run.repair(x, steps=options.steps, seed=options.seed)
    anomaly = (4 * repaired.anomaly - 1).clamp(max=1).expand_as(x)  # white from a half of the range on
    _save(
        [("original", x), ("anomaly", anomaly), ("kept", x * repaired.known), ("repaired", repaired.images)],
        names,
        path,
    )
    for name, known in zip(names, repaired.known, strict=True):
        show(f"{name}: {float((~known).double().mean()):.1%} of the pixels replaced")


def _opened(options: argparse.Namespace, default: str) -> tuple[Run, Path, list[str], Tensor]:
    from simulacra.images import targets
    from simulacra.images.batch import refuse_taken

    run = open_run(options)
    path = picture_target(options, run, default, folder_allowed=True)
    names, x = run.read(options.images)
    names, x = names[: options.n], x[: options.n]
    if not path.suffix:
        refuse_taken(targets(path, names), force=options.force)
    return run, path, names, x


def _known(run: Run, mask: Path | None, names: list[str]) -> Tensor:
    """The pixels that are not missing, ``(n, 1, H, W)`` or ``(1, 1, H, W)``."""
    import torch

    from simulacra.images.masks import Masks

    height, width = run.shape.sides
    if mask is None:
        known = torch.ones(1, 1, height, width, dtype=torch.bool)
        known[..., height // 4 : height - height // 4, width // 4 : width - width // 4] = False
        return known
    masks = Masks(mask, run.config.data.max_megapixels)
    return ~torch.cat([masks.of(name, run.shape.sides, run.config.data.fit) for name in names])


def _save(rows: list[tuple[str, Tensor]], names: list[str], path: Path) -> None:
    """A sheet of all rows, or the last row as single images."""
    from simulacra import images

    if path.suffix:
        say(images.save(images.labelled_rows(rows), path))
        return
    for file, image in zip(images.targets(path, names), rows[-1][1], strict=True):
        images.save(image, file)
    say(path, f"{len(names):,} {'image' if len(names) == 1 else 'images'}")
