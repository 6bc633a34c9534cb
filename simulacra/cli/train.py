"""The verb train."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra import config
from simulacra.cli.output import PLAIN_SECONDS, counted, refuse_picture_name, say, show, tell
from simulacra.cli.parser import Verbs, add_data_root
from simulacra.cli.words import natural, positive, source, storable
from simulacra.errors import ConfigError, nearest, printable

if TYPE_CHECKING:
    from simulacra.training import Progress
    from simulacra.training.session import Session

PREVIEWED = 12  # images on a preview of augmentations
PREVIEW_DRAWS = 4  # rows of it
TERMS_WIDTH = 110  # characters for the terms of a line of progress
VALUE_WIDTH = 9  # of these for a value and the gaps around it
AUTO = "auto"  # stands for the recipe that suits the pictures
EXPLAIN = "--explain"  # what --help after a recipe's name becomes


def add_verbs(verbs: Verbs) -> None:
    """Add the verb of this module."""
    sub = verbs.add("train", _train, "Train a recipe, on its own data or on yours. RECIPE --help lists every option.")
    sub.rewrite, sub.keys = explained, True
    sub.add_argument(
        "recipe", type=storable, metavar="RECIPE", help="name of a recipe (simulacra recipes), a .toml file, or auto"
    )
    sub.add_argument(
        "--data", type=storable, metavar="NAME|PATH", help="name of a data set, or a folder or zip of images"
    )
    sub.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/RECIPE)")
    sub.add_argument("--seed", type=natural, metavar="N", help="random seed of weights, order and noise (default: 0)")
    sub.add_argument("--resume", action="store_true", help="continue the run in --out")
    sub.add_argument(
        "--init", type=source, metavar="RUN", help="run whose weights to start from, as far as they fit the recipe"
    )
    sub.add_argument(
        "--augment", metavar="STEPS", help="random changes of training images, such as 'flip, rotate degrees=-15..15'; "
        "the same as --data.augment",
    )  # fmt: skip
    sub.add_argument(
        "--preview",
        type=Path,
        metavar="FILE.png",
        help="picture of training images after --augment; nothing is trained",
    )
    sub.add_argument(EXPLAIN, action="store_true", help=argparse.SUPPRESS)
    add_data_root(sub)
    sub.add_argument(
        "--minutes", type=positive, metavar="N", help="minutes of training for the recipe auto (default: 20)"
    )
    sub.epilog = "Every key of the recipe is an option too: --train.images 100_000 --model.latent 8"


def explained(words: list[str]) -> list[str]:
    """Let ``RECIPE --help`` explain the recipe rather than the verb."""
    if AUTO in words or not {"-h", "--help"} & set(words[1:]):
        return words
    return [word for word in words if word not in ("-h", "--help")] + [EXPLAIN]


def _train(options: argparse.Namespace) -> None:
    if options.recipe == AUTO:
        _train_auto(options)
        return
    if options.minutes is not None:
        raise ConfigError(
            "--minutes is for the recipe auto. Set the length by --train.images N, or type: train auto ..."
        )
    recipe = config.recipe(options.recipe)
    if options.augment is not None:
        options.pairs["data.augment"] = options.augment
    options.pairs = refuse_unknown(options.pairs, recipe)
    if options.explain:
        _explain(recipe, options.pairs)
        return
    if options.preview is not None:
        _preview(options, recipe)
        return
    from simulacra.data import overflow
    from simulacra.training import follower, processes
    from simulacra.training.session import Session

    with overflow.watched(overflow.Watch(tell, counted)), processes.job() as team:
        if not team.leads:
            follower.serve(team)
            return
        session = Session.start(
            options.recipe,
            data_name=options.data,
            out=options.out,
            seed=options.seed,
            changes=config.override(options.pairs),
            data_root=options.data_root,
            resume=options.resume,
            init=options.init,
            team=team,
        )
        follow(session, resuming=options.resume)


def _train_auto(options: argparse.Namespace) -> None:
    """Choose recipe, size and length for a folder of pictures, as quickstart does."""
    from simulacra.cli.quickstart import pictures

    if options.data is None:
        raise ConfigError("train auto needs pictures: simulacra train auto --data PATH --minutes N")
    _refuse_beside_auto(options)
    pictures(options.data, options.minutes or 20.0, options.pairs, options.out)


def _refuse_beside_auto(options: argparse.Namespace) -> None:
    """Refuse options that would be ignored: those that do not bear on what is chosen."""
    ignored = ("resume", "init", "augment", "preview", "seed", "data_root")
    name = next((name for name in ignored if getattr(options, name) not in (None, False)), None)
    if name is not None:
        raise ConfigError(
            f"--{name.replace('_', '-')} is not for the recipe auto, which prints the command that it stands for: "
            "add the option to that one. To see it: simulacra quickstart PATH --dry-run"
        )


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
    show(f"simulacra train {recipe.name}: {recipe.title}")
    show()
    show("  --data NAME|PATH --data-root DIR --out DIR --seed N --resume --augment STEPS --preview FILE.png, and:")
    show()
    for option in config.options(values):
        if option.key in ("recipe", "seed"):
            continue
        value = "" if option.value is None else str(option.value).replace("'", "")
        choices = f" ({', '.join(map(str, option.choices))})" if option.choices else ""
        show(f"  --{option.key} {value}".ljust(50) + f"  {option.meaning}{choices}".rstrip())


def refuse_unknown(pairs: Mapping[str, str | None], recipe: config.Recipe) -> dict[str, str]:
    """Return the values given for keys of a recipe; refuse unknown keys, those without their section or a value."""
    known = [option.key for option in config.options(config.parse(recipe.values))]
    for key, value in pairs.items():
        if key.split(".")[0] not in ("data", "model", "train") or (value is None and key not in known):
            hint = f"{_nearest(key, known)} See: simulacra train {recipe.name} --help"
            raise ConfigError(f"Unknown option --{key}.{hint}")
    given = {key: value for key, value in pairs.items() if value is not None}
    config.parse(config.merge(recipe.values, config.override(given)), prefix="--")
    missing = next((key for key, value in pairs.items() if value is None), None)
    if missing is not None:
        raise ConfigError(f"--{missing} needs a value: --{missing} VALUE")
    return given


def _nearest(key: str, known: list[str]) -> str:
    """The key of the recipe that ends alike, or the nearest option."""
    leaf = next((one for one in known if one.split(".")[-1] == key.split(".")[-1]), None)
    if leaf is not None:
        return f" Did you mean --{leaf}?"
    verbs = Verbs()
    add_verbs(verbs)
    own = [name.removeprefix("--") for name in verbs.parsers["train"].known]
    return nearest(key, [*own, *known], prefix="--") or nearest(key, [one.split(".")[-1] for one in known])


def follow(session: Session, *, resuming: bool = False) -> None:
    """Show what is trained, and how far it is; then say what there is to look at."""
    from simulacra.models import summary

    values, trainer = session.config, session.trainer
    train, test = session.splits.train, session.splits.test
    show(f"{values.recipe} ({values.model.family}) on {train.name}: {len(train):,} training images "
         f"of {trainer.model.shape}, {len(test):,} test images")  # fmt: skip
    for line in session.splits.describe():
        show(f"  {line}")
    for player, parameters in summary.totals(trainer.model).items():
        layers = [layer for layer in summary.layers(trainer.model) if layer.player == player and layer.parameters]
        show(f"  {player}: {parameters:,} parameters in {len(layers)} layers")
        for layer in layers:
            show(f"    {layer.place:<16} {layer.description:<44} {layer.parameters:>12,}")
    for remark in session.remarks():
        show(f"  {remark}")
    show(f"  device {trainer.loader.device}, {values.train.precision}, batch {values.train.batch}, "
         f"{values.train.images:,} images, into {session.path}/")  # fmt: skip
    if trainer.step:
        show(f"  resuming at step {trainer.step:,} ({trainer.images:,} images)")
    elif resuming:
        show("  There was nothing to resume here: a new run begins.")
    if sys.stdout.isatty():
        _follow_with_bar(session)
    else:
        _follow_with_lines(session)
    _conclude(session)


def _conclude(session: Session) -> None:
    """Show the result of the training, and what to type next."""
    from simulacra.models import Generative, Translating
    from simulacra.runs.folder import scores

    values, trainer = session.config, session.trainer
    measured = scores(session.history(), values.train.keep)
    show()
    show(f"Trained on {trainer.images:,} images in {_duration(trainer.seconds)}."
         + "".join(f"  {name} {value:.4g}" for name, value in measured.items()))  # fmt: skip
    show(f"Open the report: {(session.path / 'report.html').resolve()}")
    verb = "sample" if isinstance(trainer.model, Generative) else "reconstruct"
    words = [verb, str(session.path)]
    if isinstance(trainer.model, Translating):
        words = ["translate", str(session.path), values.data.name]
    show(f"Then, for example:   simulacra {shlex.join(words)}")


def _follow_with_bar(session: Session) -> None:
    from rich import progress as bars
    from rich.text import Text

    columns = (
        bars.BarColumn(), bars.TaskProgressColumn(), bars.TextColumn("{task.fields[rate]} images/s"),
        bars.TextColumn("{task.fields[terms]}"), bars.TextColumn("{task.fields[left]} left"),
    )  # fmt: skip
    with bars.Progress(*columns) as display:
        total = session.config.train.images
        task = display.add_task("", total=total, completed=session.trainer.images, rate="-", terms="", left="?")
        for progress in session:
            _tell_notice(session, lambda line: display.console.print(Text(printable(line))))
            display.update(
                task, completed=progress.seen, rate=f"{progress.rate:,.0f}",
                terms=_terms(progress, session), left=_duration(progress.seconds_left),
            )  # fmt: skip


def _follow_with_lines(session: Session) -> None:
    last = 0.0
    for progress in session:
        _tell_notice(session, show)
        if time.monotonic() - last > PLAIN_SECONDS or session.trainer.finished:
            last = time.monotonic()
            show(
                f"{progress.seen:>10,} of {progress.total:,} images  {progress.rate:,.0f} images/s  "
                f"{_terms(progress, session)}  {_duration(progress.seconds_left)} left"
            )


def _tell_notice(session: Session, say: Callable[[str], None]) -> None:
    if session.notice:
        say(session.notice)
        session.notice = ""


def _terms(progress: Progress, session: Session) -> str:
    """Every term, or where these are too many the loss of each player, their sum, and what the model watches."""
    players = {name.split("/")[0] for name in progress.terms}
    names = {name: name if len(players) > 1 else name.split("/")[1] for name in progress.terms}
    if sum(len(name) + VALUE_WIDTH for name in names.values()) <= TERMS_WIDTH:  # by the names, so that all lines agree
        return "  ".join(f"{names[name]} {value:.4g}" for name, value in progress.terms.items())
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
