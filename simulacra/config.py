"""Every hyper-parameter of the project, typed, with its meaning beside it; config <-> TOML <-> command line.

This module imports no torch, so that help and mistakes are answered at once. Models are built from these
values in `simulacra.models`, networks in `simulacra.networks`.
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulacra.errors import ConfigError, nearest

PositiveInt = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A table of the config: immutable, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# ---------------------------------------------------------------------------------------------------- data


class Data(Section):
    """Which images, and how they are made equal in size and channels."""

    name: str = Field("digits", description="a known name (simulacra data) or a path: a folder or a zip of images")
    size: Annotated[int, Field(ge=8, le=1024)] | None = Field(
        None, description="side in pixels; absent: what the source has"
    )
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; absent: what the source has")
    fit: Literal["crop", "pad", "stretch"] = Field("crop", description="non-square files: centre crop, pad, or distort")
    background: Annotated[int, Field(ge=0, le=255)] = Field(
        255, description="grey level behind transparent pixels and padding"
    )
    corrupt: Literal["refuse", "skip"] = Field(
        "refuse", description="files that cannot be read: stop, or leave them out"
    )
    max_megapixels: Annotated[float, Field(gt=0)] = Field(
        32.0, description="larger files are refused or skipped unread"
    )
    test: Fraction = Field(0.1, description="held out for measuring, where a source has no test split of its own")
    validation: Fraction = Field(0.0, description='held out of the training split for keep = "best"')
    augment: tuple[Literal["flip", "shift", "binarize"], ...] = Field(
        (), description="applied to every training batch anew"
    )


# ------------------------------------------------------------------------------------------------ networks


class Mlp(Section):
    """A multilayer perceptron; widths are listed from the image inwards, decoders run them backwards."""

    kind: Literal["mlp"] = Field("mlp", description="mlp or conv")
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field((512, 256), description="widths")
    activation: Literal["relu", "leaky_relu", "silu", "tanh"] = Field("relu", description="leaky_relu has slope 0.2")
    norm: Literal["none", "batch"] = Field("none", description="after the activation, in hidden layers")
    norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="weight of the new batch (Keras: 1 - this)"
    )


class Conv(Section):
    """A plain convolutional stack; widths are listed from the image inwards, decoders run them backwards."""

    kind: Literal["conv"] = Field("conv", description="mlp or conv")
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field(
        (32, 64, 128), description="channels per layer"
    )
    strides: tuple[Literal[1, 2], ...] = Field((), description="one per width; absent: all 2")
    kernel: Literal[3, 4] = Field(
        4, description="of layers with stride 2 (4 leaves no checkerboard); layers of stride 1 have 3"
    )
    dense: PositiveInt | None = Field(
        None, description="width of a dense layer between the convolutions and the output"
    )
    activation: Literal["relu", "leaky_relu", "silu", "tanh"] = Field("relu", description="leaky_relu has slope 0.2")
    norm: Literal["none", "batch", "group"] = Field("none", description="before the activation, in hidden layers")
    norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="weight of the new batch (Keras: 1 - this)"
    )

    @model_validator(mode="after")
    def _one_stride_per_width(self) -> Conv:
        if self.strides and len(self.strides) != len(self.widths):
            raise ValueError(f"needs one stride per width: {len(self.widths)} widths, {len(self.strides)} strides")
        return self

    def stride_of_each(self) -> tuple[int, ...]:
        """The stride of each layer, from the image inwards."""
        return self.strides or (2,) * len(self.widths)


Network = Annotated[Mlp | Conv, Field(discriminator="kind")]


# -------------------------------------------------------------------------------------------------- models


class Family(Section):
    """What the sections of all families share: a network's table without a kind changes the default network."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_kind(cls, values: Any) -> Any:
        filled = dict(values) if isinstance(values, Mapping) else values
        for name, field in cls.model_fields.items():
            given = filled.get(name) if isinstance(filled, dict) else None
            if isinstance(field.default, Mlp | Conv) and isinstance(given, Mapping) and "kind" not in given:
                filled[name] = {"kind": field.default.kind, **field.default.model_dump(exclude_unset=True), **given}
        return filled


class Autoencoder(Family):
    """Compress and reconstruct (Hinton & Salakhutdinov 2006); with corruption, denoise (Vincent et al. 2008)."""

    family: Literal["autoencoder"] = Field("autoencoder", description="of the model")
    latent: PositiveInt = Field(32, description="dimensions of the code")
    corruption: Annotated[float, Field(ge=0)] = Field(
        0.0, description="standard deviation of noise on the input, [-1, 1] scale"
    )
    network: Network = Conv()


class VAE(Family):
    """Variational autoencoder (Kingma & Welling 2014) with weight beta on the KL term (Higgins et al. 2017)."""

    family: Literal["vae"] = Field("vae", description="of the model")
    latent: PositiveInt = Field(16, description="dimensions of the latent")
    likelihood: Literal["bernoulli", "gaussian", "logistic"] = Field(
        "bernoulli", description="of a pixel given the latent"
    )
    beta: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of the KL term; 1 is the evidence lower bound")
    warmup: Annotated[int, Field(ge=0)] = Field(0, description="steps over which beta rises from 0")
    samples: PositiveInt = Field(1, description="latents drawn per image in training")
    network: Network = Conv()


class IWAE(VAE):
    """Importance weighted autoencoder (Burda et al. 2016): the VAE trained on the k-sample bound."""

    family: Literal["iwae"] = Field("iwae", description="of the model")  # type: ignore[assignment]
    samples: PositiveInt = Field(5, description="latents drawn per image: the k of the bound")

    @model_validator(mode="after")
    def _no_beta(self) -> IWAE:
        if self.beta != 1 or self.warmup != 0:
            raise ValueError("the importance-weighted bound has no separate KL term: leave beta at 1 and warmup at 0")
        return self


class GAN(Family):
    """Generative adversarial network (Goodfellow et al. 2014)."""

    family: Literal["gan"] = Field("gan", description="of the model")
    latent: PositiveInt = Field(100, description="dimensions of the noise")
    loss: Literal["non_saturating"] = Field("non_saturating", description="the adversarial objective")
    discriminator_steps: PositiveInt = Field(1, description="discriminator steps per generator step")
    generator: Network = Conv(norm="batch")
    discriminator: Network = Conv(activation="leaky_relu")


ModelConfig = Annotated[Autoencoder | VAE | IWAE | GAN, Field(discriminator="family")]


# ------------------------------------------------------------------------------------------------ training


class Optimizer(Section):
    """How a player's parameters move."""

    kind: Literal["adam", "adamw", "rmsprop", "sgd"] = Field("adam", description="the rule of the update")
    rate: Annotated[float, Field(gt=0)] = Field(1e-3, description="learning rate")
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.999), description="adam, adamw; sgd takes the first as momentum")
    epsilon: Annotated[float, Field(gt=0)] = Field(1e-8, description="added to the denominator")
    decay: Annotated[float, Field(ge=0)] = Field(0.0, description="weight decay")


class OptimizerChange(Section):
    """What one player's optimizer has different from the others'."""

    kind: Literal["adam", "adamw", "rmsprop", "sgd"] | None = None
    rate: Annotated[float, Field(gt=0)] | None = None
    betas: tuple[Fraction, Fraction] | None = None
    epsilon: Annotated[float, Field(gt=0)] | None = None
    decay: Annotated[float, Field(ge=0)] | None = None


class Schedule(Section):
    """The learning rate over time: a linear warm-up, then constant or falling to zero at the end."""

    kind: Literal["constant", "linear", "cosine"] = Field("constant", description="how the rate falls to zero")
    warmup: Annotated[int, Field(ge=0)] = Field(0, description="images over which the rate rises from 0")
    start: Fraction = Field(0.0, description="share of the training after which linear or cosine begins to fall")


class Train(Section):
    """How long, how fast, and what is kept on the way. Time is counted in images seen."""

    images: PositiveInt = Field(600_000, description="length of the training")
    batch: PositiveInt = Field(128, description="images in a step")
    optimizer: Optimizer = Optimizer()
    players: dict[str, OptimizerChange] = Field({}, description="what a player's optimizer has different")
    schedule: Schedule = Schedule()
    clip: Annotated[float, Field(gt=0)] | None = Field(None, description="largest norm of a player's gradient")
    ema: Annotated[int, Field(ge=0)] = Field(
        0, description="half-life of the averaged weights in images; 0: no averaging"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32", description="auto: bfloat16 where the hardware multiplies it"
    )
    compile: bool = Field(False, description="torch.compile the networks: pays only in trainings of hours")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    log: PositiveInt = Field(5_000, description="images between two lines of metrics.jsonl")
    sheet: PositiveInt = Field(50_000, description="images between two sample sheets")
    samples: PositiveInt = Field(64, description="images on a sample sheet")
    score: PositiveInt = Field(100_000, description="images between two measurements on held-out images")
    checkpoint: PositiveInt = Field(50_000, description="images between two checkpoints")
    keep: Literal["last", "best"] = Field(
        "last", description="which weights become model.safetensors; best needs data.validation"
    )
    retries: Annotated[int, Field(ge=0)] = Field(2, description="roll-backs allowed when training diverges")
    tensorboard: bool = Field(False, description="also write TensorBoard event files")

    def optimizer_of(self, player: str) -> Optimizer:
        """The optimizer of one player: the common one with that player's changes."""
        change = self.players.get(player, OptimizerChange())
        return self.optimizer.model_copy(update=change.model_dump(exclude_none=True))


class Config(Section):
    """Everything that determines a run."""

    recipe: str = Field("custom", description="where these values came from")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="of weights, order and noise")
    data: Data = Data()
    model: ModelConfig
    train: Train = Train()

    @model_validator(mode="after")
    def _best_needs_validation(self) -> Config:
        if self.train.keep == "best" and self.data.validation == 0:
            raise ValueError('train.keep = "best" chooses on held-out images: also set data.validation, e.g. 0.05')
        return self


# -------------------------------------------------------------------------------------- parse, merge, print


def model_sections() -> list[type[BaseModel]]:
    """The config section of every family."""
    return _members(Config, "model")


def parse(values: Mapping[str, Any]) -> Config:
    """Validate nested tables into a `Config`; raises `ConfigError` naming the first wrong key and the remedy."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, values)) from None


def loads(text: str, origin: str = "config") -> dict[str, Any]:
    """Parse TOML text into tables; ``origin`` names the file in the error."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not valid TOML: {error}.") from None


def dumps(config: Config) -> str:
    """Return the config as TOML, such that ``parse(loads(dumps(config))) == config``."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the nested ``changes`` laid over it; a changed network kind or family starts afresh."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            switched = any(tag in value and value[tag] != old.get(tag) for tag in ("kind", "family") if tag in old)
            keep = key not in ("model", "network", "generator", "discriminator") or not switched
            merged[key] = merge(old, value) if keep else dict(value)
        else:
            merged[key] = value
    return merged


def override(pairs: Mapping[str, str]) -> dict[str, Any]:
    """Turn ``{"train.batch": "64"}`` into nested tables; values are TOML, or plain words, or numbers with commas."""
    tables: dict[str, Any] = {}
    for dotted, text in pairs.items():
        *path, last = dotted.split(".")
        table = tables
        for name in path:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise ConfigError(f"--{dotted} contradicts another option that sets --{name} itself.")
        table[last] = _value(text)
    return tables


@dataclass(frozen=True)
class Option:
    """One key of a config: its dotted name, its present value, what it means."""

    key: str
    value: Any
    meaning: str
    choices: tuple[Any, ...] = ()


def options(section: BaseModel, prefix: str = "") -> Iterator[Option]:
    """List every key that a config of this family and these networks has."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from options(value, f"{prefix}{name}.")
        else:
            choices = tuple(c for leaf in _leaves(field.annotation) for c in _choices(leaf))
            yield Option(f"{prefix}{name}", value, field.description or "", choices if len(choices) > 1 else ())


def _choices(annotation: Any) -> tuple[Any, ...]:
    """What a literal, or a tuple of literals, may be."""
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    inner = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else ()
    return tuple(choice for part in inner for choice in _choices(part))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return tomllib.loads(f"value = [{text}]")["value"] if "," in text else text
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    problem = error.errors()[0]
    path, section = _locate(problem["loc"], values)
    dotted = ".".join(path) or "config"
    if problem["type"] == "extra_forbidden":
        allowed = [key for key in section.model_fields if key not in ("family", "kind")]
        inside = ".".join([*path[:-1], ""])
        hint = nearest(dotted, [inside + key for key in allowed])
        return f"Unknown key '{dotted}'.{hint} Allowed here: {', '.join(allowed)}."
    if problem["type"] == "missing":
        return f"'{dotted}' is missing."
    if problem["type"] == "union_tag_invalid":
        tag, allowed_tags = problem["ctx"]["tag"], problem["ctx"]["expected_tags"].replace("'", "")
        key = f"{dotted}.{problem['ctx']['discriminator'].strip(chr(39))}"
        return f"{key} is '{tag}'.{nearest(tag, allowed_tags.split(', '))} Allowed: {allowed_tags}."
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if problem["type"] == "value_error":
        return f"{dotted}: {message}." if path else f"{message}."
    given = problem["input"]
    return f"{dotted} must be {message}; got {given!r}."


def _locate(location: tuple[int | str, ...], values: Any) -> tuple[list[str], type[BaseModel]]:
    """Follow a pydantic location, dropping union tags; return the dotted path and the section that holds its end."""
    path: list[str] = []
    section: type[BaseModel] = Config
    holder: type[BaseModel] = Config
    for part in location:
        if isinstance(part, int):
            path.append(str(part))
            continue
        if path and part in {_tag(member) for member in _members(holder, path[-1])}:
            continue
        holder = section
        path.append(part)
        values = values.get(part) if isinstance(values, Mapping) else None
        section = _choose(section, part, values)
    return path, holder


def _members(section: type[BaseModel], name: str) -> list[type[BaseModel]]:
    field = section.model_fields.get(name)
    if field is None:
        return []
    return [leaf for leaf in _leaves(field.annotation) if isinstance(leaf, type) and issubclass(leaf, BaseModel)]


def _leaves(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, Annotated, dict):
        for inner in typing.get_args(annotation):
            yield from _leaves(inner)
    else:
        yield annotation


def _choose(section: type[BaseModel], name: str, values: Any) -> type[BaseModel]:
    """The section of a field: of a union the member that the values name, else the default's; or stay here."""
    members = _members(section, name)
    given = {values.get("family"), values.get("kind")} if isinstance(values, Mapping) else set()
    default = section.model_fields[name].default if members else None
    fallback = type(default) if isinstance(default, BaseModel) else (members or [section])[0]
    return next((member for member in members if _tag(member) in given), fallback)


def _tag(section: type[BaseModel]) -> str | None:
    for name in ("family", "kind"):
        field = section.model_fields.get(name)
        if field is not None:
            return str(field.default)
    return None


# ------------------------------------------------------------------------------------------------- recipes


class Recipe(BaseModel):
    """A tested config with a name, what it makes, and the score and time to expect."""

    name: str
    title: str
    expect: str
    time: str
    values: dict[str, Any]


def recipe_names() -> list[str]:
    """The names of the shipped recipes."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in (resources.files("simulacra") / "recipes").iterdir()
        if entry.name.endswith(".toml")
    )


def recipe(name: str) -> Recipe:
    """Load a shipped recipe by name, or a TOML file of the same form by path."""
    names = recipe_names()
    if name in names:
        text = (resources.files("simulacra") / "recipes" / f"{name}.toml").read_text("utf-8")
    elif name.endswith(".toml"):
        text = _read_recipe_file(Path(name))
    else:
        raise ConfigError(
            f"Unknown recipe '{name}'.{nearest(name, names)} Recipes: {', '.join(names)}; or the path of a .toml file."
        )
    values = loads(text, f"recipe {name}")
    about = values.pop("about", {})
    stem = Path(name).stem if name.endswith(".toml") else name
    return Recipe(
        name=stem,
        title=str(about.get("title", "")),
        expect=str(about.get("expect", "")),
        time=str(about.get("time", "")),
        values=merge({"recipe": stem}, values),
    )


def _read_recipe_file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Recipe file {path} cannot be read: {error}.") from None
