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
    assert (optimizer.rate, optimizer.betas) == (1e-4, (0.5, 0.9))
    assert values.train.optimizer_of("other").betas == (0.9, 0.999)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"model__latnet": "3"}, r"Unknown key 'model\.latnet'\. Did you mean 'model\.latent'\?"),
        (
            {"model__network__width": "3"},
            r"Unknown key 'model\.network\.width'\. Did you mean 'model\.network\.widths'\?",
        ),
        ({"train__optimiser__rate": "3"}, r"Unknown key 'train\.optimiser'\. Did you mean 'train\.optimizer'\?"),
        ({"model__latent": "0"}, r"model\.latent must be greater than 0; got 0"),
        ({"model__latent": "many"}, r"model\.latent must be a valid integer.*got 'many'"),
        ({"train__optimizer__rate": "nan"}, r"train\.optimizer\.rate must be a finite number"),
        ({"data__channels": "2"}, r"data\.channels must be 1 or 3; got 2"),
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
            r"model: a penalty needs the slope at each image.*set discriminator\.norm to",
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
    assert {"model.generator.hidden", "model.discriminator.kind", "train.optimizer.rate", "data.name"} <= keys
