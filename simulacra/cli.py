"""The command line: each verb parses its options, calls the library, and says where the result is.

Nothing heavy is imported before a verb runs, so help and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from simulacra import __version__, config
from simulacra.errors import ConfigError, SimulacraError, nearest

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from simulacra.evaluate import Score
    from simulacra.run import Run
    from simulacra.session import Session
    from simulacra.training import Progress

PLAIN_SECONDS = 10  # between two lines of progress where there is no terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, 2 bad input, 3 diverged, 4 disk, 130 interrupted."""
    try:
        options = _parse(list(sys.argv[1:] if arguments is None else arguments))
        options.verb(options)
        sys.stdout.flush()
    except SimulacraError as error:
        print(f"simulacra: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("simulacra: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


# ------------------------------------------------------------------------------------------------- options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}. See: {self.prog} --help")


def verb_names() -> list[str]:
    """The verbs of the command line."""
    return list(_parser()[1])


def _parse(arguments: list[str]) -> argparse.Namespace:
    return _understand(*_parser(), arguments)


def _parser() -> tuple[_Parser, dict[str, _Parser]]:
    parser = _Parser(
        prog="simulacra",
        description="Train, steer and measure the classic deep generative models of images.",
        epilog="Start with: simulacra quickstart",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"simulacra {__version__}")
    parser.set_defaults(verb=lambda _: parser.print_help())
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=_Parser)

    def add(name: str, verb: Callable[[argparse.Namespace], None], help_: str) -> _Parser:
        sub: _Parser = verbs.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        sub.set_defaults(verb=verb)
        return sub

    def add_run_verb(name: str, verb: Callable[[argparse.Namespace], None], help_: str) -> _Parser:
        sub = add(name, verb, help_)
        sub.add_argument("run", metavar="RUN", help="a run folder, or a .safetensors file")
        sub.add_argument("--data-root", type=Path, metavar="DIR", help="where data sets are looked up first")
        return sub

    sub = add("quickstart", _quickstart, "Train a small VAE on embedded digits and make a report: a minute or two.")
    sub.add_argument("--out", type=Path, metavar="DIR", help="the run folder (a new one under runs/)")

    add("recipes", _recipes, "List the recipes: what each makes, the score and the time to expect.")
    sub = add("data", _data, "List the data sets that have a name, and which are on this machine.")
    sub.add_argument("--data-root", type=Path, metavar="DIR", help="where data sets are looked up first")

    sub = add("train", _train, "Train a recipe, on its own data or on yours. RECIPE --help lists every option.")
    sub.add_argument("recipe", metavar="RECIPE", help="a name (simulacra recipes) or a .toml file")
    sub.add_argument("--data", metavar="NAME|PATH", help="a data set's name, or a folder or a zip of images")
    sub.add_argument("--out", type=Path, metavar="DIR", help="the run folder (runs/RECIPE)")
    sub.add_argument("--seed", type=int, metavar="N", help="of weights, order and noise (0)")
    sub.add_argument("--resume", action="store_true", help="continue the run in --out")
    sub.add_argument("--data-root", type=Path, metavar="DIR", help="where data sets are looked up first")
    sub.epilog = "Any key of the recipe: --KEY.SUBKEY VALUE, e.g. --train.images 100_000 --model.latent 8"

    sub = add_run_verb("sample", _sample, "Draw new images.")
    sub.add_argument("--n", type=_count, default=64, metavar="N", help="how many (64)")
    sub.add_argument("--seed", type=_natural, default=0, metavar="N", help="the same seed gives the same images (0)")
    sub.add_argument("--out", type=Path, metavar="FILE.png|DIR", help="one sheet, or a folder of single images")

    sub = add_run_verb("reconstruct", _reconstruct, "Show originals beside their reconstructions.")
    sub.add_argument("--images", type=Path, metavar="PATH", help="an image, a folder or a zip (test images)")
    sub.add_argument("--n", type=_count, default=12, metavar="N", help="how many at most (12)")
    sub.add_argument("--out", type=Path, metavar="FILE.png")

    sub = add_run_verb("manifold", _manifold, "Lay a two-dimensional latent space out as one picture.")
    sub.add_argument("--side", type=_count, default=15, metavar="N", help="images along each axis (15)")
    sub.add_argument("--out", type=Path, metavar="FILE.png")

    sub = add_run_verb("interpolate", _interpolate, "Walk through latent space from one image to another.")
    sub.add_argument(
        "--from", dest="start", type=Path, metavar="IMG", help="the first image (a test image or a sample)"
    )
    sub.add_argument("--to", dest="end", type=Path, metavar="IMG", help="the last image (a test image or a sample)")
    sub.add_argument("--steps", type=_count, default=10, metavar="N", help="images on the way (10)")
    sub.add_argument("--seed", type=_natural, default=0, metavar="N", help="chooses the ends that are not given (0)")
    sub.add_argument("--out", type=Path, metavar="FILE.png|.gif")

    sub = add_run_verb("traverse", _traverse, "Move one latent at a time, a row each.")
    sub.add_argument("--steps", type=_count, default=11, metavar="N", help="images in a row (11)")
    sub.add_argument("--seed", type=_natural, default=0, metavar="N", help="chooses the image to start from (0)")
    sub.add_argument("--out", type=Path, metavar="FILE.png")

    sub = add_run_verb(
        "encode", _encode, "Write the latents of images: arrays latents, names, and labels where there are any."
    )
    sub.add_argument("images", metavar="PATH", help="an image, a folder, a zip, or a data set's name (its test images)")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE.npz")

    sub = add_run_verb("evaluate", _evaluate, "Measure a run on held-out images, by every metric its model supports.")
    sub.add_argument("--n", type=_count, default=10_000, metavar="N", help="test images and samples at most (10,000)")
    sub.add_argument("--seed", type=_natural, default=0, metavar="N", help="of the samples and the noise (0)")
    sub.add_argument("--out", type=Path, metavar="FILE.json", help="where the scores go (RUN/evaluation.json)")

    return parser, dict(verbs.choices)


def _understand(parser: _Parser, verbs: dict[str, _Parser], arguments: list[str]) -> argparse.Namespace:
    first = next((word for word in arguments if not word.startswith("-")), None)
    if first is not None and first not in verbs:
        raise ConfigError(f"Unknown verb '{first}'.{nearest(first, verbs)} Verbs: {', '.join(verbs)}.")
    if arguments[:1] == ["train"] and len(arguments) > 1 and {"-h", "--help"} & set(arguments[2:]):
        verbs["train"].set_defaults(verb=_explain_recipe)
        arguments = [word for word in arguments if word not in ("-h", "--help")]
    options, rest = parser.parse_known_args(arguments)
    if rest and first != "train":
        sub = verbs.get(first or "", parser)
        known = [name for action in sub._actions for name in action.option_strings if name.startswith("--")]
        raise ConfigError(f"Unknown option {rest[0]}.{nearest(rest[0], known)} Options: {', '.join(known)}.")
    options.pairs = _pairs(rest)
    return options


def _pairs(words: list[str]) -> dict[str, str]:
    """Turn ``--a.b 1 --c.d=2`` into ``{"a.b": "1", "c.d": "2"}``."""
    pairs: dict[str, str] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("--"):
            raise ConfigError(f"Unexpected word '{word}'. Options are written --KEY.SUBKEY VALUE.")
        key, equals, value = word[2:].partition("=")
        if not equals:
            if not queue or queue[0].startswith("--"):
                raise ConfigError(f"--{key} needs a value: --{key} VALUE")
            value = queue.pop(0)
        pairs[key.replace("-", "_")] = value
    return pairs


def _count(text: str) -> int:
    value = _natural(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _natural(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2^63 - 1, not {value}")
    return value


# ---------------------------------------------------------------------------------------------- to look up


def _recipes(_: argparse.Namespace) -> None:
    from rich.table import Table

    table = Table("recipe", "makes", "data", "expect", "time", box=None, pad_edge=False)
    for name in config.recipe_names():
        recipe = config.recipe(name)
        table.add_row(name, recipe.title, recipe.values["data"]["name"], recipe.expect, recipe.time)
    _print_table(table)


def _data(options: argparse.Namespace) -> None:
    from rich.table import Table

    from simulacra.data import SOURCES

    table = Table("name", "holds", "images", "on this machine", box=None, pad_edge=False)
    for name, source in SOURCES.items():
        table.add_row(name, source.title, source.images, source.where(options.data_root) or "no: downloaded when used")
    table.add_row("a path", "your own images", "PNG, JPEG, WebP, GIF ...", "a folder or a zip; class = subfolder")
    _print_table(table)


def _print_table(table: Table) -> None:
    """Print a table at the terminal's width, or without wrapping into a file or pipe."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 300).print(table)


def _explain_recipe(options: argparse.Namespace) -> None:
    recipe = config.recipe(options.recipe)
    values = config.parse(config.merge(recipe.values, config.override(options.pairs)))
    print(f"simulacra train {recipe.name}: {recipe.title}\n")
    print("  --data NAME|PATH --data-root DIR --out DIR --seed N --resume, and:\n")
    for option in config.options(values):
        if option.key in ("recipe", "seed"):
            continue
        value = "" if option.value is None else str(option.value).replace("'", "")
        choices = f" ({', '.join(map(str, option.choices))})" if option.choices else ""
        print(f"  --{option.key} {value}".ljust(50) + f"  {option.meaning}{choices}".rstrip())


# ------------------------------------------------------------------------------------------------ training


def _train(options: argparse.Namespace) -> None:
    recipe = config.recipe(options.recipe)
    _refuse_unknown(options.pairs, recipe)
    from simulacra.session import Session

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


def _refuse_unknown(pairs: dict[str, str], recipe: config.Recipe) -> None:
    """Catch keys without their section (--batch for --train.batch) before anything heavy is loaded."""
    known = [option.key for option in config.options(config.parse(recipe.values))]
    for key in pairs:
        if key.split(".")[0] not in ("data", "model", "train"):
            leaf = next((k for k in known if k.split(".")[-1] == key.split(".")[-1]), None)
            hint = f" Did you mean --{leaf}?" if leaf else nearest(key, [k.split(".")[-1] for k in known])
            raise ConfigError(f"Unknown option --{key}.{hint} See: simulacra train {recipe.name} --help")
    config.parse(config.merge(recipe.values, config.override(pairs)))


def _quickstart(options: argparse.Namespace) -> None:
    from simulacra.session import Session

    _follow(Session.start("quickstart", out=options.out or _unused(Path("runs/quickstart"))))


def _unused(path: Path) -> Path:
    """The path itself, or the first of path-2, path-3, ... that does not exist."""
    candidates = itertools.chain([path], (path.with_name(f"{path.name}-{n}") for n in itertools.count(2)))
    return next(candidate for candidate in candidates if not candidate.exists())


def _follow(session: Session, *, resuming: bool = False) -> None:
    """Train while showing where it stands, then say what there is to look at."""
    from simulacra.models import summary
    from simulacra.run import scores

    values, trainer = session.config, session.trainer
    train, test = session.splits.train, session.splits.test
    print(f"{values.recipe} ({values.model.family}) on {train.name}: {len(train):,} training images "
          f"of {trainer.model.shape}, {len(test):,} for testing")  # fmt: skip
    for problem in session.splits.skipped:
        print(f"  left out: {problem}")
    for player, parameters in summary.totals(trainer.model).items():
        layers = [layer for layer in summary.layers(trainer.model) if layer.player == player and layer.parameters]
        print(f"  {player}: {parameters:,} parameters in {len(layers)} layers")
        for layer in layers:
            print(f"    {layer.place:<16} {layer.description:<44} {layer.parameters:>12,}")
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
    print(f"Then for example:   simulacra sample {session.path}")


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
                task, completed=min(progress.images, total), rate=f"{progress.rate:,.0f}",
                terms=_terms(progress), left=_duration(progress.seconds_left),
            )  # fmt: skip


def _follow_with_lines(session: Session) -> None:
    last = 0.0
    for progress in session:
        _tell_notice(session, print)
        if time.monotonic() - last > PLAIN_SECONDS or session.trainer.finished:
            last = time.monotonic()
            print(
                f"{progress.images:>10,} of {progress.total:,} images  {progress.rate:,.0f} images/s  "
                f"{_terms(progress)}  {_duration(progress.seconds_left)} left",
                flush=True,
            )


def _tell_notice(session: Session, say: Callable[[str], None]) -> None:
    if session.notice:
        say(session.notice)
        session.notice = ""


def _terms(progress: Progress) -> str:
    players = {name.split("/")[0] for name in progress.terms}
    names = {name: name if len(players) > 1 else name.split("/")[1] for name in progress.terms}
    return "  ".join(f"{names[name]} {value:.4g}" for name, value in progress.terms.items())


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


# ------------------------------------------------------------------------------------------- using a model


def _open(options: argparse.Namespace) -> Run:
    from simulacra.run import Run

    return Run.open(options.run, data_root=options.data_root)


def _target(options: argparse.Namespace, run: Run, default: str) -> Path:
    """Where a picture goes: as asked, or under a default name in the run folder."""
    if options.out is not None:
        return Path(options.out)
    return (run.path if run.path.is_dir() else run.path.parent) / default


def _sample(options: argparse.Namespace) -> None:
    run = _open(options)
    target = _target(options, run, "sample.png")
    _refuse_picture_name(target, folder_allowed=True)
    _save_sheet(run.sample(options.n, seed=options.seed), target)


def _reconstruct(options: argparse.Namespace) -> None:
    from simulacra import images

    run = _open(options)
    target = _target(options, run, "reconstruct.png")
    _refuse_picture_name(target)
    originals = run.examples(options.n) if options.images is None else run.read(options.images)[1][: options.n]
    rows = [("original", originals), ("reconstruction", run.reconstruct(originals))]
    _say(images.save(images.labelled_rows(rows), target))


def _manifold(options: argparse.Namespace) -> None:
    from simulacra import images

    run = _open(options)
    target = _target(options, run, "manifold.png")
    _refuse_picture_name(target)
    _say(images.save(images.grid(images.enlarge(run.manifold(options.side)), options.side, gap=0), target))


def _interpolate(options: argparse.Namespace) -> None:
    from simulacra import images

    run = _open(options)
    target = _target(options, run, "interpolate.png")
    _refuse_picture_name(target)
    if (options.start is None) != (options.end is None):
        raise ConfigError("interpolate needs both --from IMG and --to IMG, or neither.")
    start, end = (None if path is None else _one_image(run, path) for path in (options.start, options.end))
    frames = run.interpolate(start, end, steps=options.steps, seed=options.seed)
    if target.suffix.lower() == ".gif":
        _say(images.save_animation(frames, target))
    else:
        _say(images.save(images.grid(images.enlarge(frames), options.steps), target))


def _one_image(run: Run, path: Path) -> Tensor:
    names, x = run.read(path)
    if len(names) != 1:
        raise ConfigError(f"{path} holds {len(names)} images; name one image file.")
    return x[0]


def _traverse(options: argparse.Namespace) -> None:
    from simulacra import images

    run = _open(options)
    target = _target(options, run, "traverse.png")
    _refuse_picture_name(target)
    rows, latents = run.traverse(steps=options.steps, seed=options.seed)
    _say(images.save(images.labelled_rows([(f"z{k}", row) for k, row in zip(latents, rows, strict=True)]), target))


def _encode(options: argparse.Namespace) -> None:
    import numpy as np

    from simulacra import data, images

    if options.out.suffix != ".npz":
        raise ConfigError(f"encode writes a NumPy archive: --out must end in .npz, not '{options.out.name}'.")
    run = _open(options)
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
    arrays["latents"] = run.encode(x).numpy()
    with images.atomic(options.out) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    _say(options.out, f"{len(x):,} latents of {arrays['latents'].shape[1]} dimensions")


def _classes_in(names: list[str]) -> dict[str, Any]:
    """Labels and the classes they stand for, where the images lie in more than one subfolder."""
    import numpy as np

    folders = [name.rpartition("/")[0] for name in names]
    classes = sorted(set(folders))
    if len(classes) < 2:
        return {}
    return {"labels": np.array([classes.index(folder) for folder in folders]), "classes": np.array(classes)}


def _evaluate(options: argparse.Namespace) -> None:
    if options.out is not None and options.out.suffix != ".json":
        raise ConfigError(f"evaluate writes JSON: --out must end in .json, not '{options.out.name}'.")
    from simulacra import evaluate
    from simulacra.run import EVALUATION

    run = _open(options)
    scores = evaluate.evaluate(run, n=options.n, seed=options.seed, progress=_tell_part)
    _show_scores(scores)
    _say(evaluate.save(scores, _target(options, run, EVALUATION)))


def _tell_part(name: str) -> None:
    print(f"measuring {name} ...", file=sys.stderr, flush=True)


def _show_scores(scores: Sequence[Score]) -> None:
    from rich.table import Table

    table = Table("metric", box=None, pad_edge=False)
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("images", justify="right")
    table.add_column("split")
    for score in scores:
        table.add_row(score.metric, f"{score.value:.4g}", score.unit, f"{score.n:,}", score.split)
    _print_table(table)
    for name in {score.features: None for score in scores if score.features}:
        print(f"samples are compared by the features {name}")


def _refuse_picture_name(target: Path, *, folder_allowed: bool = False) -> None:
    """Refuse names that cannot be written before any work is done."""
    if folder_allowed and (target.is_dir() or not target.suffix):
        return
    if target.is_dir() or target.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp", ".gif"):
        raise ConfigError(f"--out {target} is no picture's name; it must end in .png (or .jpg, .webp, .gif).")


def _save_sheet(x: Tensor, target: Path) -> None:
    from simulacra import images

    if target.suffix:
        _say(images.save(images.grid(images.enlarge(x)), target))
        return
    for index, image in enumerate(x):
        images.save(image, target / f"{index:05d}.png")
    _say(target, f"{len(x):,} images of {x.shape[-1]} x {x.shape[-1]}")


def _say(path: Path, what: str = "") -> None:
    print(f"{path}" + (f": {what}" if what else ""))
