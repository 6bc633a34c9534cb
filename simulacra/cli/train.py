"""Verbs that train."""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra import config
from simulacra.cli.output import PLAIN_SECONDS, refuse_picture_name, say
from simulacra.cli.parser import Verbs, add_data_root
from simulacra.errors import ConfigError, nearest

if TYPE_CHECKING:
    from simulacra.training import Progress
    from simulacra.training.session import Session

PREVIEWED = 12  # images on a preview of augmentations
PREVIEW_DRAWS = 4  # rows of it
TERMS_WIDTH = 110  # characters for the terms of a line of progress
EXPLAIN = "--explain"  # what --help after a recipe's name becomes


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    sub = verbs.add(
        "quickstart", _quickstart, "Train a small VAE on embedded digits and make a report: seconds to minutes."
    )
    sub.add_argument("--out", type=Path, metavar="DIR", help="the run folder (a new one under runs/)")

    sub = verbs.add("train", _train, "Train a recipe, on its own data or on yours. RECIPE --help lists every option.")
    sub.add_argument("recipe", metavar="RECIPE", help="a name (simulacra recipes) or a .toml file")
    sub.add_argument("--data", metavar="NAME|PATH", help="a data set's name, or a folder or a zip of images")
    sub.add_argument("--out", type=Path, metavar="DIR", help="the run folder (runs/RECIPE)")
    sub.add_argument("--seed", type=int, metavar="N", help="of weights, order and noise (0)")
    sub.add_argument("--resume", action="store_true", help="continue the run in --out")
    sub.add_argument("--augment", metavar="STEPS", help="the same as --data.augment: 'flip, rotate degrees=-15..15'")
    sub.add_argument("--preview", type=Path, metavar="FILE.png", help="only draw training images as --augment has them")
    sub.add_argument(EXPLAIN, action="store_true", help=argparse.SUPPRESS)
    add_data_root(sub)
    sub.epilog = "Any key of the recipe: --KEY.SUBKEY VALUE, e.g. --train.images 100_000 --model.latent 8"


def explained(arguments: list[str]) -> list[str]:
    """Let ``train RECIPE --help`` explain the recipe rather than the verb."""
    if arguments[:1] != ["train"] or not {"-h", "--help"} & set(arguments[2:]):
        return arguments
    return [word for word in arguments if word not in ("-h", "--help")] + [EXPLAIN]


def _train(options: argparse.Namespace) -> None:
    recipe = config.recipe(options.recipe)
    if options.augment is not None:
        options.pairs["data.augment"] = options.augment
    if options.explain:
        _explain(recipe, options.pairs)
        return
    refuse_unknown(options.pairs, recipe)
    if options.preview is not None:
        _preview(options, recipe)
        return
    from simulacra.training.session import Session

    session = Session.start(
        options.recipe,
        data_name=options.data,
        out=options.out,
        seed=options.seed,
        changes=config.override(options.pairs),
        data_root=options.data_root,
        resume=options.resume,
    )
    _follow(session, resuming=options.resume)


def _preview(options: argparse.Namespace, recipe: config.Recipe) -> None:
    """Draw training images, and what the augmentations make of them four times."""
    refuse_picture_name(options.preview, option="--preview")
    if options.preview.exists():
        raise ConfigError(f"{options.preview} exists already. Choose another name for --preview.")
    changes = config.override(options.pairs)
    if options.data is not None:
        changes = config.merge(changes, {"data": {"name": options.data}})
    values = config.parse(config.merge(recipe.values, changes))
    from simulacra import data, images, models

    train = data.load(values.data, options.data_root, models.FAMILIES[values.model.family].batch).train
    seed = values.seed if options.seed is None else options.seed
    plain = data.ImageLoader(train, PREVIEWED, seed=seed).batch(0).image
    rows = [("before", plain)]
    for draw in range(PREVIEW_DRAWS):
        loader = data.ImageLoader(train, PREVIEWED, seed=seed, augment=values.data.augment)
        rows.append((f"draw {draw + 1}", loader.augmented(plain, draw)))
    say(images.save(images.labelled_rows(rows), options.preview))


def _explain(recipe: config.Recipe, pairs: dict[str, str]) -> None:
    values = config.parse(config.merge(recipe.values, config.override(pairs)), prefix="--")
    print(f"simulacra train {recipe.name}: {recipe.title}\n")
    print("  --data NAME|PATH --data-root DIR --out DIR --seed N --resume --augment STEPS --preview FILE.png, and:\n")
    for option in config.options(values):
        if option.key in ("recipe", "seed"):
            continue
        value = "" if option.value is None else str(option.value).replace("'", "")
        choices = f" ({', '.join(map(str, option.choices))})" if option.choices else ""
        print(f"  --{option.key} {value}".ljust(50) + f"  {option.meaning}{choices}".rstrip())


def refuse_unknown(pairs: dict[str, str], recipe: config.Recipe) -> None:
    """Catch keys without their section (--batch for --train.batch) before anything heavy is loaded."""
    known = [option.key for option in config.options(config.parse(recipe.values))]
    for key in pairs:
        if key.split(".")[0] not in ("data", "model", "train"):
            leaf = next((k for k in known if k.split(".")[-1] == key.split(".")[-1]), None)
            hint = f" Did you mean --{leaf}?" if leaf else nearest(key, [k.split(".")[-1] for k in known])
            raise ConfigError(f"Unknown option --{key}.{hint} See: simulacra train {recipe.name} --help")
    config.parse(config.merge(recipe.values, config.override(pairs)), prefix="--")


def _quickstart(options: argparse.Namespace) -> None:
    from simulacra.training.session import Session

    _follow(Session.start("quickstart", out=options.out or _unused(Path("runs/quickstart"))))


def _unused(path: Path) -> Path:
    """The path itself, or the first of path-2, path-3, ... that does not exist."""
    candidates = itertools.chain([path], (path.with_name(f"{path.name}-{n}") for n in itertools.count(2)))
    return next(candidate for candidate in candidates if not candidate.exists())


def _follow(session: Session, *, resuming: bool = False) -> None:
    """Train while showing where it stands, then say what there is to look at."""
    from simulacra.models import Generative, Translating, summary
    from simulacra.runs.folder import scores

    values, trainer = session.config, session.trainer
    train, test = session.splits.train, session.splits.test
    print(f"{values.recipe} ({values.model.family}) on {train.name}: {len(train):,} training images "
          f"of {trainer.model.shape}, {len(test):,} for testing")  # fmt: skip
    for line in session.splits.describe():
        print(f"  {line}")
    for player, parameters in summary.totals(trainer.model).items():
        layers = [layer for layer in summary.layers(trainer.model) if layer.player == player and layer.parameters]
        print(f"  {player}: {parameters:,} parameters in {len(layers)} layers")
        for layer in layers:
            print(f"    {layer.place:<16} {layer.description:<44} {layer.parameters:>12,}")
    for remark in trainer.model.remarks():
        print(f"  {remark}")
    print(f"  device {trainer.loader.device}, {values.train.precision}, batch {values.train.batch}, "
          f"{values.train.images:,} images, into {session.path}/", flush=True)  # fmt: skip
    if trainer.step:
        print(f"  resuming at step {trainer.step:,} ({trainer.images:,} images)")
    elif resuming:
        print("  there was nothing to resume here: a new run begins")
    if sys.stdout.isatty():
        _follow_with_bar(session)
    else:
        _follow_with_lines(session)
    measured = scores(session.history(), values.train.keep)
    print(f"\nTrained on {trainer.images:,} images in {_duration(trainer.seconds)}."
          + "".join(f"  {name} {value:.4g}" for name, value in measured.items()))  # fmt: skip
    print(f"Look at the report: {(session.path / 'report.html').resolve()}")
    verb = "sample" if isinstance(trainer.model, Generative) else "reconstruct"
    words = [verb, str(session.path)]
    if isinstance(trainer.model, Translating):
        words = ["translate", str(session.path), values.data.name]
    print(f"Then for example:   simulacra {shlex.join(words)}")


def _follow_with_bar(session: Session) -> None:
    from rich import progress as bars

    columns = (
        bars.BarColumn(), bars.TaskProgressColumn(), bars.TextColumn("{task.fields[rate]} images/s"),
        bars.TextColumn("{task.fields[terms]}"), bars.TextColumn("{task.fields[left]} left"),
    )  # fmt: skip
    with bars.Progress(*columns) as display:
        total = session.config.train.images
        task = display.add_task("", total=total, completed=session.trainer.images, rate="-", terms="", left="?")
        for progress in session:
            _tell_notice(session, display.console.print)
            display.update(
                task, completed=progress.seen, rate=f"{progress.rate:,.0f}",
                terms=_terms(progress, session), left=_duration(progress.seconds_left),
            )  # fmt: skip


def _follow_with_lines(session: Session) -> None:
    last = 0.0
    for progress in session:
        _tell_notice(session, print)
        if time.monotonic() - last > PLAIN_SECONDS or session.trainer.finished:
            last = time.monotonic()
            print(
                f"{progress.seen:>10,} of {progress.total:,} images  {progress.rate:,.0f} images/s  "
                f"{_terms(progress, session)}  {_duration(progress.seconds_left)} left",
                flush=True,
            )


def _tell_notice(session: Session, say: Callable[[str], None]) -> None:
    if session.notice:
        say(session.notice)
        session.notice = ""


def _terms(progress: Progress, session: Session) -> str:
    """Every term, or where these are too many the loss of each player, their sum, and what the model watches."""
    players = {name.split("/")[0] for name in progress.terms}
    names = {name: name if len(players) > 1 else name.split("/")[1] for name in progress.terms}
    line = "  ".join(f"{names[name]} {value:.4g}" for name, value in progress.terms.items())
    if len(line) <= TERMS_WIDTH:
        return line
    watched = session.trainer.model.watched
    shown: dict[str, float] = {}
    for name, value in progress.terms.items():
        key = name if name in watched else f"{name.split('/')[0]} loss"
        shown[key] = shown.get(key, 0.0) + value
    return "  ".join(f"{name} {value:.4g}" for name, value in shown.items())


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
