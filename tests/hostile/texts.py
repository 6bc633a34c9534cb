"""Recipes, configs, logs and scores with wrong types, extreme numbers, deep nesting or damage."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence

from tests.hostile.case import Case, Place
from tests.hostile.mutate import mutated

Edit = Callable[[str], str | bytes]
DIGITS = "9" * 5000

SMALL = """
[data]
name = "digits"
size = 8

[model]
family = "vae"
latent = 2
beta = 1.0

[model.network]
kind = "mlp"
hidden = [8]

[train]
images = 32
batch = 16
log = 16
sheet = 32
score = 32
samples = 4
checkpoint = 16

[train.optimizer]
kind = "adam"
rate = 0.001
betas = [0.9, 0.999]
"""
VALUES = (
    "nan", "inf", "-inf", "-1", "1e309", "1000000000000000000", DIGITS, '""', "'text'", "true", "[]", "{}", "[[[]]]",
    "1979-05-27", "'\\u0000'", '"\\u001b[31m"', "-0.5", "[nan]", "0x7fffffffffffffff", "'../../beside'", "1e-400",
)  # fmt: skip
WRONG_EVERYWHERE = frozenset({"nan", "inf", "-inf", "1e309", DIGITS, "[[[]]]", "1979-05-27", "{}", "[nan]"})


def cases() -> Iterator[Case]:
    """Texts made by hand."""
    for name, edit in RECIPES.items():
        yield Case(f"recipe/{name}", "cli" if name in SURFACE else "models", _recipe(edit), refused=name not in FINE)
    for name, edit in CONFIGS.items():
        yield Case(f"config/{name}/resume", "training", _resumed(edit), refused=True)
    for name, edit in LINES.items():
        yield Case(f"lines/{name}/resume", "training", _resumed_lines(edit))
        yield Case(f"lines/{name}/compare", "evaluation", _compared("metrics.jsonl", edit))
    for name, edit in SCORES.items():
        yield Case(f"scores/{name}/compare", "evaluation", _compared("evaluation.json", edit))
    for name, edit in SCORES.items():
        yield Case(f"environment/{name}/compare", "evaluation", _compared("environment.json", edit))
    for name, edit in LEDGERS.items():
        yield Case(f"ledger/{name}", "evaluation", _ledger(edit))


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Keys with absurd values, lines lost or doubled, bytes damaged."""
    for number in range(count):
        kind = number % 6
        name = f"text/damaged-{number}"
        if kind < 3:
            yield Case(f"recipe/absurd-{number}", "models", _absurd, seed=seed)
        elif kind == 3:
            yield Case(f"{name}/recipe", "cli", _recipe_damaged, seed=seed)
        elif kind == 4:
            yield Case(f"{name}/resume", "training", _resumed_damaged, seed=seed)
        else:
            yield Case(f"{name}/compare", "evaluation", _compared_damaged, seed=seed)


# ------------------------------------------------------------------------------------------------- builds


def _recipe(edit: Edit) -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        text = edit(SMALL)
        content = text.replace("BESIDE", str(place.beside)) if isinstance(text, str) else text
        return ["train", place.file("r.toml", content), "--out", place.out()]

    return build


def _absurd(place: Place) -> Sequence[str]:
    lines = SMALL.strip().splitlines()
    keys = [at for at, line in enumerate(lines) if " = " in line and not line.startswith(("images", "name"))]
    at = place.random.choice(keys)
    lines[at] = f"{lines[at].partition(' = ')[0]} = {place.random.choice(VALUES)}"
    return ["train", place.file("r.toml", "\n".join(lines)), "--out", place.out()]


def _recipe_damaged(place: Place) -> Sequence[str]:
    return ["train", place.file("r.toml", mutated(SMALL.encode(), place.random)), "--train.images", "32", "--out",
            place.out()]  # fmt: skip


def _in_run(name: str, change: Callable[[bytes], bytes | str], place: Place) -> str:
    run = place.copy("runs/vae", "out/run")
    content = change((run / name).read_bytes())
    (run / name).write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return str(run)


def _resumed(edit: Edit, name: str = "config.toml") -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        run = _in_run(name, lambda content: edit(content.decode()), place)
        return ["train", "vae-2d", *_same(), "--out", run, "--resume"]

    return build


def _resumed_lines(edit: Edit) -> Callable[[Place], Sequence[str]]:
    return _resumed(edit, "metrics.jsonl")


def _same() -> list[str]:
    from tests.hostile.store import MLP, SHORT

    return ["--data", "digits", *SHORT, *MLP]


def _resumed_damaged(place: Place) -> Sequence[str]:
    name = place.random.choice(("config.toml", "metrics.jsonl", "environment.json", "checkpoints/latest"))
    run = _in_run(name, lambda content: mutated(content, place.random), place)
    return ["train", "vae-2d", *_same(), "--out", run, "--resume"]


def _compared(name: str, edit: Edit) -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        run = _in_run(name, lambda content: edit(content.decode()), place)
        return ["compare", run, place.sound("runs/vae"), "--out", place.out("x.html")]

    return build


def _compared_damaged(place: Place) -> Sequence[str]:
    name = place.random.choice(("metrics.jsonl", "evaluation.json", "environment.json", "config.toml"))
    run = _in_run(name, lambda content: mutated(content, place.random), place)
    return ["compare", run, place.sound("runs/vae"), "--out", place.out("x.html")]


def _ledger(edit: Edit) -> Callable[[Place], Sequence[str]]:
    def build(place: Place) -> Sequence[str]:
        content = edit('{"results": []}')
        path = place.path / "out" / "ledger.json"
        path.parent.mkdir()
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        return ["bench", "ledger", "no-such-row", "--page", str(path.with_suffix(".md")), "--out", place.out("runs")]

    return build


# ------------------------------------------------------------------------------------------------- made by hand


def _with(table: str, line: str) -> Edit:
    """The recipe with one more line in a table, before the others of the same key."""
    key = line.partition("=")[0].strip()

    def edit(text: str) -> str:
        head, mark, rest = text.partition(f"[{table}]\n")
        section, following, tail = rest.partition("\n[")
        section = re.sub(rf"(?m)^{re.escape(key)} = .*\n?", "", section)
        return f"{head}{mark}{line}\n{section}{following}{tail}"

    return edit


def _first(line: str) -> Edit:
    return lambda text: f"{line}\n{text}"


def _all(content: str | bytes) -> Edit:
    return lambda text: content


RECIPES: dict[str, Edit] = {
    "empty": _all(""),
    "null-bytes": _all(bytes(1000)),
    "utf-16": _all(SMALL.encode("utf-16")),
    "byte-order-mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "latin-1": _all("about = '\xe9'".encode("latin-1")),
    "carriage-returns": lambda text: text.replace("\n", "\r"),
    "about-is-a-number": _first("about = 5"),
    "about-is-a-list": _first("about = [1]"),
    "title-of-escapes": _first('about = {title = "\\u001b[31m\\n"}'),
    "large-is-a-number": _first("large = 5"),
    "seed-is-true": _first("seed = true"),
    "seed-is-a-fraction": _first("seed = 1.5"),
    "seed-of-5000-digits": _first(f"seed = {DIGITS}"),
    "seed-below-0": _first("seed = -1"),
    "brackets": _first("x = " + "[" * 20_000),
    "braces": _first("x = " + "{a=" * 20_000),
    "tables": _first("[" + "a." * 20_000 + "a]"),
    "dotted-duplicates": lambda text: text + "\n[data]\nname = 'digits'\n",
    "dotted-through-value": _first("data.name = 'digits'\ndata.name.x = 1"),
    "data-is-a-list": _all("data = [1]\nmodel = {family = 'vae'}"),
    "model-is-a-text": _all("model = 'vae'"),
    "train-is-a-number": lambda text: "train = 5\n" + text.partition("[train]")[0],
    "family-is-a-list": _with("model", 'family = ["vae"]'),
    "family-unknown": _with("model", 'family = "hostile_trap:Family"'),
    "family-is-a-module": _with("model", 'family = "hostile_trap.evil"'),
    "family-is-a-path": _with("model", 'family = "../../hostile_trap.py"'),
    "kind-is-a-table": lambda text: text.replace('kind = "mlp"', "kind = {a = 1}"),
    "unknown-key": _with("model", "x = 1"),
    "long-key": _with("model", "x" * 100_000 + " = 1"),
    "escape-key": _with("model", '"\\u001b[31m" = 1'),
    "long-value": _with("model", 'likelihood = "' + "x" * 1_000_000 + '"'),
    "escape-value": _with("model", 'likelihood = "\\u001b]0;x\\u0007\\n"'),
    "recipe-is-absolute": lambda text: 'recipe = "BESIDE/run"\n' + text,
    "recipe-goes-up": lambda text: 'recipe = "../beside/run"\n' + text,
    "recipe-is-a-number": _first("recipe = 5"),
    "recipe-is-empty": _first('recipe = ""'),
    "recipe-of-escapes": _first('recipe = "\\u001b[31m\\n"'),
    "recipe-is-long": _first(f'recipe = "{"x" * 5000}"'),
    "name-is-empty": _with("data", 'name = ""'),
    "name-is-a-number": _with("data", "name = 5"),
    "name-is-a-device": _with("data", 'name = "/dev/zero"'),
    "name-is-long": _with("data", f'name = "{"x" * 5000}"'),
    "name-with-null": _with("data", 'name = "a\\u0000b"'),
    "size-vast": _with("data", "size = 1000000000"),
    "size-is-true": _with("data", "size = true"),
    "channels-2": _with("data", "channels = 2"),
    "test-is-nan": _with("data", "test = nan"),
    "test-is-1": _with("data", "test = 1.0"),
    "per-class-vast": _with("data", "per_class = 0"),
    "augment-unknown": _with("data", 'augment = ["hostile_trap"]'),
    "augment-is-a-number": _with("data", "augment = 5"),
    "augment-absurd": _with("data", 'augment = ["rotate degrees=nan"]'),
    "augment-vast": _with("data", 'augment = ["box size=999999999"]'),
    "augment-second": _with("data", 'augment = ["over with=/etc/passwd"]'),
    "latent-vast": _with("model", "latent = 1000000000"),
    "latent-huge": _with("model", f"latent = {10**18}"),
    "latent-true": _with("model", "latent = true"),
    "latent-0": _with("model", "latent = 0"),
    "beta-nan": _with("model", "beta = nan"),
    "beta-inf": _with("model", "beta = inf"),
    "beta-below-0": _with("model", "beta = -1.0"),
    "hidden-empty-list": _with("model.network", "hidden = [0]"),
    "hidden-vast": _with("model.network", "hidden = [1000000000]"),
    "hidden-many": _with("model.network", "hidden = [" + "8," * 100_000 + "]"),
    "hidden-nan": _with("model.network", "hidden = [nan]"),
    "waves-vast": _with("model.network", "waves = 1000000000"),
    "batch-vast": _with("train", "batch = 1000000000"),
    "batch-0": _with("train", "batch = 0"),
    "images-0": _with("train", "images = 0"),
    "samples-vast": _with("train", "samples = 1000000000"),
    "device-unknown": _with("train", 'device = "hostile_trap"'),
    "device-empty": _with("train", 'device = ""'),
    "device-meta": _with("train", 'device = "meta"'),
    "device-cuda": _with("train", 'device = "cuda:999999"'),
    "device-escape": _with("train", 'device = "\\u001b[31m"'),
    "rate-nan": _with("train.optimizer", "rate = nan"),
    "rate-0": _with("train.optimizer", "rate = 0.0"),
    "rate-below-0": _with("train.optimizer", "rate = -0.1"),
    "rate-inf": _with("train.optimizer", "rate = inf"),
    "betas-3": _with("train.optimizer", "betas = [0.9, 0.9, 0.9]"),
    "betas-1": _with("train.optimizer", "betas = [1.0, 1.0]"),
    "betas-nan": _with("train.optimizer", "betas = [nan, 0.9]"),
    "epsilon-nan": _with("train.optimizer", "epsilon = nan"),
    "player-unknown": lambda text: text + "\n[train.players.nobody]\nrate = 0.1\n",
    "players-is-a-list": _with("train", "players = [1]"),
    "warmup-huge": lambda text: text + f"\n[train.schedule]\nwarmup = {10**18}\n",
    "start-nan": lambda text: text + "\n[train.schedule]\nkind = 'linear'\nstart = nan\n",
    "conv-blocks": lambda text: re.sub(r'kind = "mlp"\nhidden = .*', 'kind = "resnet"\nblocks = 1000000000', text),
    "conv-width": lambda text: re.sub(r'kind = "mlp"\nhidden = .*', 'kind = "conv"\nwidth = 1000000000', text),
}  # fmt: skip

SURFACE = frozenset({
    "empty", "null-bytes", "utf-16", "byte-order-mark", "latin-1", "carriage-returns", "about-is-a-number",
    "about-is-a-list", "large-is-a-number", "brackets", "braces", "tables", "dotted-duplicates",
    "dotted-through-value", "recipe-is-absolute", "recipe-goes-up",
})  # fmt: skip
FINE = frozenset({
    "byte-order-mark", "carriage-returns", "about-is-a-number", "about-is-a-list", "title-of-escapes",
    "large-is-a-number",
    "recipe-is-absolute", "recipe-goes-up", "recipe-is-number", "recipe-of-escapes", "recipe-is-long",
    "recipe-is-empty", "warmup-huge", "test-is-1",
})  # fmt: skip

CONFIGS: dict[str, Edit] = {
    "empty": _all(""),
    "not-toml": _all("{"),
    "another-rate": lambda text: text.replace("rate = 0.001", "rate = 0.5"),
    "another-batch": lambda text: text.replace("batch = 16", "batch = 8"),
    "another-latent": lambda text: text.replace("latent = 2", "latent = 3"),
    "another-family": lambda text: text.replace('family = "vae"', 'family = "hostile_trap"'),
    "latent-vast": lambda text: text.replace("latent = 2", "latent = 1000000000"),
    "no-model": lambda text: text.partition("[model]")[0],
    "latin-1": lambda text: text.encode() + b"\xe9 = 1",
}

DEEP = "[" * 100_000
LINES: dict[str, Edit] = {
    "empty": _all(""),
    "not-json": _all("{\n"),
    "numbers": _all("1\n2\n"),
    "null": _all("null\n"),
    "lists": _all("[]\n[1]\n"),
    "step-is-a-text": _all('{"step": "x"}\n'),
    "step-is-a-list": _all('{"step": []}\n'),
    "step-below-0": _all('{"step": -5, "images": -80, "seconds": -1}\n'),
    "step-is-nan": _all('{"step": NaN}\n'),
    "values-are-texts": _all('{"step": 1, "images": 16, "seconds": 0.1, "model/nll": "x"}\n'),
    "values-are-nan": _all('{"step": 1, "images": 16, "seconds": 0.1, "model/nll": NaN, "model/kl": Infinity}\n'),
    "digits": _all('{"step": ' + DIGITS + "}\n"),
    "deep": _all('{"step": 1, "x": ' + DEEP + "\n"),
    "one-long-line": _all('{"step": 1, "' + "x" * 1_000_000 + '": 1}\n'),
    "not-utf-8": _all(b"\xff\xfe\n"),
    "null-bytes": _all(bytes(4000)),
    "no-last-newline": lambda text: text.rstrip("\n"),
    "half-a-line": lambda text: text[:-20],
    "escape-keys": _all('{"step": 1, "images": 16, "seconds": 0.1, "\\u001b[31m<script>alert(1)</script>": 1.0}\n'),
}


def _score(metric: object) -> str:
    """The scores of one metric."""
    return json.dumps({"scores": [{"metric": metric, "value": 1.0, "unit": "x", "split": "test", "n": 1, "seed": 0}]})


SCORES: dict[str, Edit] = {
    "empty": _all(""),
    "null": _all("null"),
    "number": _all("5"),
    "list": _all("[]"),
    "scores-is-a-number": _all('{"scores": 5}'),
    "scores-is-a-text": _all('{"scores": "abc"}'),
    "score-is-null": _all('{"scores": [null]}'),
    "score-is-empty": _all('{"scores": [{}]}'),
    "metric-is-a-number": _all(_score(5)),
    "metric-is-a-list": _all(_score([])),
    "value-is-a-text": lambda text: re.sub(r'"value": [-\d.e]+', '"value": "x"', text),
    "value-is-nan": lambda text: re.sub(r'"value": [-\d.e]+', '"value": NaN', text),
    "value-is-null": lambda text: re.sub(r'"value": [-\d.e]+', '"value": null', text),
    "value-is-a-list": lambda text: re.sub(r'"value": [-\d.e]+', '"value": [1]', text),
    "n-is-a-text": lambda text: re.sub(r'"n": \d+', '"n": "x"', text),
    "unit-is-a-number": lambda text: re.sub(r'"unit": "[^"]*"', '"unit": 5', text),
    "unit-is-markup": lambda text: re.sub(r'"unit": "[^"]*"', '"unit": "[red]<script>\\\\u001b[31m"', text),
    "features-is-a-list": lambda text: text.replace('"features": null', '"features": [1]'),
    "digits": lambda text: re.sub(r'"value": [-\d.e]+', '"value": ' + DIGITS, text),
    "deep": _all('{"scores": ' + DEEP),
    "not-utf-8": _all(b"\xff\xfe{}"),
    "null-bytes": _all(bytes(100)),
    "surrogate": _all(_score("\ud800")),
    "device-is-a-list": _all('{"device": [1], "torch": {}, "seconds": [], "threads": "x", "data": 5}'),
}  # fmt: skip

LEDGERS: dict[str, Edit] = {
    "empty": _all(""), "list": _all("[]"), "null": _all("null"), "results-is-a-number": _all('{"results": 5}'),
    "result-is-null": _all('{"results": [null]}'), "deep": _all('{"results": ' + DEEP), "not-utf-8": _all(b"\xff"),
}  # fmt: skip
