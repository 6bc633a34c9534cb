"""The verb quickstart: from embedded digits, or from a folder of pictures, to a trained model and a report."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from simulacra import config
from simulacra.cli.output import say, show
from simulacra.cli.parser import Verbs
from simulacra.cli.words import positive, source
from simulacra.errors import ConfigError

WALK = 48  # frames of the walk between samples
STOPS = 4  # samples that it visits


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add(
        "quickstart", _quickstart, "Train a model on a folder of pictures, or a small VAE on embedded digits, and "
        "write a report.",
    )  # fmt: skip
    sub.keys = True
    sub.add_argument("path", nargs="?", type=source, metavar="PATH", help="folder or zip of pictures")
    sub.add_argument(
        "--minutes",
        type=positive,
        metavar="N",
        help="minutes of training, planned from the speed that is measured first (default: 20)",
    )
    sub.add_argument("--dry-run", action="store_true", help="show the proposal and stop")
    sub.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: a new one under runs/)")
    sub.epilog = "With PATH, every key of the recipe pictures is an option too: --data.size 64 --model.latent 32"


def _quickstart(options: argparse.Namespace) -> None:
    from simulacra.cli.train import follow
    from simulacra.training.session import Session

    if options.path is not None:
        pictures(options.path, options.minutes or 20.0, options.pairs, options.out, dry_run=options.dry_run)
        return
    if options.pairs or options.minutes or options.dry_run:
        given = next((f"--{key}" for key in options.pairs), "--minutes" if options.minutes else "--dry-run")
        raise ConfigError(f"{given} is for pictures of your own. Type: simulacra quickstart PATH {given} ...")
    follow(Session.start("quickstart", out=options.out or unused(Path("runs/quickstart"))))


def pictures(path: str, minutes: float, pairs: dict[str, str], out: Path | None, *, dry_run: bool = False) -> None:
    """Propose what to train on a folder of pictures, train it, and draw a walk between samples."""
    from simulacra.cli.train import follow, refuse_unknown
    from simulacra.runs.folder import RunFolder
    from simulacra.training import proposal
    from simulacra.training.session import Session

    changes = config.override(refuse_unknown(pairs, config.recipe(proposal.RECIPE)))
    where = Path(path)
    if not where.exists():
        raise ConfigError(f"There is no folder or zip {path}. Type the path of one that holds your pictures.")
    folder = out or unused(Path("runs") / where.resolve().stem)
    if not dry_run:
        RunFolder(folder).holds_a_run(resume=False)  # before the speed is measured
    proposed = proposal.propose(where, minutes, changes)
    for line in proposed.lines(folder):
        show(line)
    if dry_run:
        return
    show()
    session = Session.start(proposal.RECIPE, data_name=path, out=folder, changes=proposed.changes)
    follow(session)
    _walk(session.path)


def _walk(folder: Path) -> None:
    """Draw a film that passes through a few samples and returns to the first."""
    import torch

    from simulacra import images
    from simulacra.runs.run import Run

    run = Run.open(folder)
    stops = run.sample(STOPS, seed=1)
    steps = WALK // STOPS + 1
    legs = [run.interpolate(stops[i], stops[(i + 1) % STOPS], steps=steps)[:-1] for i in range(STOPS)]
    say(images.save_animation(images.magnified(torch.cat(legs), 128), folder / "walk.gif"))


def unused(path: Path) -> Path:
    """Return the path itself, or the first of path-2, path-3, ... that does not exist."""
    candidates = itertools.chain([path], (path.with_name(f"{path.name}-{n}") for n in itertools.count(2)))
    return next(candidate for candidate in candidates if not candidate.exists())
