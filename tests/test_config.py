"""Recipes and options: what is read is what was meant, and mistakes are answered with the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulacra import config
from simulacra.config import Conv, Mlp
from simulacra.errors import ConfigError

BASE: dict[str, Any] = {"model": {"family": "vae"}}


def with_(**pairs: str) -> config.Config:
    return config.parse(config.merge(BASE, config.override({k.replace("__", "."): v for k, v in pairs.items()})))


@pytest.mark.parametrize("name", config.recipe_names())
def test_every_recipe_is_valid_and_says_what_to_expect(name: str) -> None:
    recipe = config.recipe(name)
    values = config.parse(recipe.values)
    assert values.recipe == name
    assert recipe.title
    assert recipe.expect
    assert recipe.time


def test_values_are_typed() -> None:
    values = with_(train__images="100_000", train__clip="1", data__name="my pictures", model__network__widths="8,16")
    assert values.train.images == 100_000
    assert values.train.clip == 1.0
    assert values.data.name == "my pictures"
    assert isinstance(values.model, config.VAE)
    assert values.model.network == Conv(widths=(8, 16))
    assert with_(data__augment='["flip", "shift"]').data.augment == ("flip", "shift")
    assert with_(data__name="a,b.zip").data.name == "a,b.zip"
    assert with_(train__compile="true").train.compile


def test_a_switched_network_starts_from_its_own_defaults() -> None:
    recipe = config.recipe("vae-2d").values
    values = config.parse(config.merge(recipe, config.override({"model.network.kind": "mlp"})))
    assert isinstance(values.model, config.VAE)
    assert values.model.network == Mlp()
    assert values.model.latent == 2


def test_a_player_may_differ_in_one_thing() -> None:
    values = with_(train__optimizer__rate="1e-4", train__players__model__betas="0.5,0.9")
    optimizer = values.train.optimizer_of("model")
    assert (optimizer.learning_rate, optimizer.betas) == (1e-4, (0.5, 0.9))
    assert values.train.optimizer_of("other").betas == (0.9, 0.999)


def tuples() -> list[tuple[str, dict[str, Any], str, tuple[Any, ...]]]:
    """Every key whose value is a tuple: the tables around it, words with commas, and the value they stand for."""
    pets = {"family": "cgan"}
    return [
        ("model.network.hidden", {"model": {"family": "vae", "network": {"kind": "mlp"}}}, "8,16", (8, 16)),
        ("model.network.widths", {"model": {"family": "vae"}}, "8,16", (8, 16)),
        ("model.network.strides", {"model": {"family": "vae", "network": {"widths": [4, 4]}}}, "1,2", (1, 2)),
        ("model.network.widths", {"model": {"family": "vae", "network": {"kind": "resnet"}}}, "8", (8,)),
        (
            "model.augment",
            {"model": {"family": "gan"}},
            "colour,translation,cutout",
            ("colour", "translation", "cutout"),
        ),
        ("model.augment", {"model": pets}, "cutout", ("cutout",)),
        ("model.classes", {"model": pets}, "cat,dog, bird", ("cat", "dog", "bird")),
        ("model.classes", {"model": {"family": "cvae"}}, "0,1", ("0", "1")),
        ("model.continuous", {"model": {"family": "infogan"}}, "c1,c2", ("c1", "c2")),
        ("data.augment", BASE, "flip,rotate degrees=-15..15", ("flip", "rotate degrees=-15..15")),
        (
            "data.pairs",
            {"model": {"family": "pix2pix"}},
            "resize width=16 height=16, grey",
            ("resize width=16 height=16", "grey"),
        ),
        ("train.optimizer.betas", BASE, "0.5,0.9", (0.5, 0.9)),
        ("train.players.model.betas", BASE, "0.5,0.9", (0.5, 0.9)),
    ]


@pytest.mark.parametrize(("key", "base", "text", "value"), tuples(), ids=[f"{t[0]} {t[2]}" for t in tuples()])
def test_a_tuple_is_given_as_words_with_commas(key: str, base: dict[str, Any], text: str, value: object) -> None:
    found: Any = config.parse(config.merge(base, config.override({key: text})))
    for name in key.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    assert found == value


def test_every_key_with_a_tuple_is_tried() -> None:
    """A new tuple must be added to `tuples`."""
    sections = [*config.model_sections(), *config.NETWORKS.values(), *config.TRANSLATORS.values(), config.Patch]
    sections += [config.Penalty, config.Data, config.Train, config.Optimizer, config.OptimizerChange, config.Schedule]
    tried = {key.split(".")[-1] for key, *_ in tuples()}
    found = {
        name
        for section in sections
        for name, field in section.model_fields.items()
        if "tuple" in repr(field.annotation)
    }
    assert found == tried


@pytest.mark.parametrize("value", [True, "3", "many"])
@pytest.mark.parametrize("key", ["seed", "model.latent", "model.beta", "train.batch", "train.clip", "data.channels",
                                 "train.optimizer.betas", "model.network.widths"])  # fmt: skip
def test_truth_values_and_text_are_not_numbers(key: str, value: object) -> None:
    *path, last = key.split(".")
    tables: dict[str, Any] = {last: value}
    for name in reversed(path):
        tables = {name: tables}
    with pytest.raises(ConfigError, match=rf"^{key} must be (a )?valid (number|integer)s?; got "):
        config.parse(config.merge(BASE, tables))


OLD = """
[data]
draw = 3
[model]
family = "cyclegan"
generator = { kind = "unet", halvings = 2, correct = true }
discriminator = { halvings = 2 }
[train]
optimizer = { rate = 2e-4, decay = 0.1 }
players = { critics = { rate = 1e-4 } }
"""


def test_old_names_of_keys_are_understood_and_the_new_ones_written() -> None:
    values = config.parse(config.loads(OLD))
    text = config.dumps(values)
    assert isinstance(values.model, config.CycleGAN)
    assert (values.model.generator.downsamplings, values.model.generator.residual) == (2, True)
    assert values.model.discriminator.downsamplings == 2
    assert (values.train.optimizer.learning_rate, values.train.optimizer.weight_decay) == (2e-4, 0.1)
    assert values.train.optimizer_of("critics").learning_rate == 1e-4
    assert values.data.per_class_seed == 3
    assert not {" rate", "decay =", "halvings", "correct", "draw"} & {word.strip() for word in text.split("\n")}
    assert "learning_rate = 0.0002" in text
    assert config.parse(config.loads(text)) == values


def test_an_old_name_changes_what_a_recipe_says_under_the_new_one() -> None:
    changed = config.merge(config.recipe("vae").values, config.override({"train.optimizer.rate": "0.5"}))
    assert config.parse(changed).train.optimizer.learning_rate == 0.5
    with pytest.raises(ConfigError, match=r"Unknown key 'train\.optimizer\.rate'"):
        config.parse({**BASE, "train": {"optimizer": {"rate": 1.0, "learning_rate": 2.0}}})


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"train__batch": "1000000000"}, r"train\.batch must be less than or equal to 65536"),
        ({"model__latent": "1000000000"}, r"model\.latent must be less than or equal to 65536"),
        ({"model__network__kind": "resnet", "model__network__blocks": "1000000000"}, r"network\.blocks must be less"),
        ({"model__network__widths": ",".join(["8"] * 100_000)}, r"network\.widths must .*at most 64"),
        ({"model__latnet": "3"}, r"Unknown key 'model\.latnet'\. Did you mean 'model\.latent'\?"),
        (
            {"model__network__width": "3"},
            r"Unknown key 'model\.network\.width'\. Did you mean 'model\.network\.widths'\?",
        ),
        ({"train__optimiser__rate": "3"}, r"Unknown key 'train\.optimiser'\. Did you mean 'train\.optimizer'\?"),
        ({"model__latent": "0"}, r"model\.latent must be greater than 0; got 0"),
        ({"model__latent": "many"}, r"model\.latent must be a valid integer.*got 'many'"),
        ({"train__optimizer__rate": "nan"}, r"train\.optimizer\.learning_rate must be a finite number"),
        ({"data__channels": "2"}, r"data\.channels must be 1, 3 or 4; got 2"),
        ({"data__size": "4"}, r"data\.size must be greater than or equal to 8; got 4"),
        ({"model__family": "vea"}, r"model\.family is 'vea'\. Did you mean 'vae'\? Allowed: autoencoder"),
        ({"model__network__kind": "convnet"}, r"model\.network\.kind is 'convnet'\. Did you mean 'conv'"),
        ({"model__network__strides": "2,2"}, r"one stride per width"),
        ({"train__players__model__speed": "1"}, r"Unknown key 'train\.players\.model\.speed'"),
        ({"model": "3"}, r"model"),
        ({"model__family": "iwae", "model__beta": "2"}, r"leave beta at 1"),
        ({"model__family": "gan", "model__loss": "hing"}, r"model\.loss must be .*'hinge'.*got 'hing'"),
        (
            {"model__family": "gan", "model__penalty__kind": "r1", "model__discriminator__norm": "batch"},
            r"model: a penalty needs the gradient at each image.*set discriminator\.norm to",
        ),
        ({"model__family": "gan", "model__loss": "wasserstein"}, r'set penalty\.kind to "gradient_penalty"'),
        (
            {"model__family": "gan", "model__packing": "3", "train__batch": "32"},
            r"train\.batch must be a multiple of model\.packing: 32 images cannot be divided into packs of 3",
        ),
        ({"model__family": "gan", "model__penalty__wieght": "1"}, r"Did you mean 'model\.penalty\.weight'"),
    ],
)
def test_mistakes_are_answered_with_the_remedy(pairs: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        with_(**pairs)
    assert "\n" not in str(caught.value)


def test_a_missing_family_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"^model\.family is missing\. Allowed: autoencoder, vae, .*, pix2pix\.$"):
        config.parse({"model": {"latent": 3}})


def test_what_a_key_stands_in_does_not_make_it_nearer() -> None:
    values = config.merge(config.recipe("cyclegan").values, {"model": {"lamda": 3}})
    with pytest.raises(ConfigError, match=r"^Unknown key '--model\.lamda'\. Allowed here: "):
        config.parse(values, prefix="--")


def test_unknown_recipes_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'vae-2d'"):
        config.recipe("vae2d")


def test_a_recipe_may_be_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[model]\nfamily = "vae"\nlatent = 3\n')
    assert config.parse(config.recipe(str(file)).values).recipe == "mine"
    file.write_text("[model\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config.recipe(str(file))
    with pytest.raises(ConfigError, match="cannot be read"):
        config.recipe(str(tmp_path / "absent.toml"))


def test_a_large_recipe_is_the_recipe_and_its_difference(tmp_path: Path) -> None:
    small, large = (config.parse(config.recipe(name).values) for name in ("gan", "gan-large"))
    assert (small.recipe, large.recipe) == ("gan", "gan-large")
    assert large.train.images > small.train.images
    assert isinstance(small.model, config.GAN)
    assert isinstance(large.model, config.GAN)
    assert large.model.penalty == small.model.penalty
    assert large.train.schedule == small.train.schedule
    file = tmp_path / "mine.toml"
    file.write_text('[model]\nfamily = "vae"\n[large.model]\nlatent = 99\n')
    assert "large" not in config.recipe(str(file)).values


def test_every_option_is_listed() -> None:
    keys = {option.key for option in config.options(config.parse(config.recipe("gan-mlp").values))}
    assert {"model.generator.hidden", "model.discriminator.kind", "train.optimizer.learning_rate", "data.name"} <= keys


@pytest.mark.parametrize("text", ["[" + "a." * 5_000 + "a]", "x = " + "[" * 40 + "]" * 40, "{" * 9, "x = [" * 30_000])
def test_deep_tables_are_refused_in_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nested|is not valid TOML"):
        config.loads(text)
    (tmp_path / "deep.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"nested|is not valid TOML"):
        config.recipe(str(tmp_path / "deep.toml"))


@pytest.mark.parametrize(
    "pairs", [{"a" + ".a" * 5_000: "1"}, {"data.size": "[" * 50 + "]" * 50}, {"model.x": "{a = " * 50 + "1" + "}" * 50}]
)
def test_deep_options_are_refused_in_one_line(pairs: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"nested|no key has 5,001 parts"):
        config.override(pairs)
