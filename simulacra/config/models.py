"""The section `model`: one class a family, tagged by ``family``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from simulacra.config.base import PositiveInt, Section
from simulacra.config.networks import NETWORKS, TRANSLATORS, Conv, Network, Patch, ResnetTranslator, Translator, Unet

__all__ = [
    "ALI",
    "CGAN",
    "CVAE",
    "GAN",
    "IWAE",
    "VAE",
    "VAEGAN",
    "Adversarial",
    "Autoencoder",
    "BiGAN",
    "CycleGAN",
    "Family",
    "InfoGAN",
    "ModelConfig",
    "Penalty",
    "Pix2Pix",
]

CodeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class Family(Section):
    """What the sections of all families share: a network's table without a kind changes the default network."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_kind(cls, values: Any) -> Any:
        filled = dict(values) if isinstance(values, Mapping) else values
        for name, field in cls.model_fields.items():
            given = filled.get(name) if isinstance(filled, dict) else None
            if isinstance(field.default, NETWORKS + TRANSLATORS) and isinstance(given, Mapping) and "kind" not in given:
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


class Penalty(Section):
    """A term on the discriminator's slope; without one (none) the game need not converge."""

    kind: Literal["none", "gradient_penalty", "dragan", "r1", "r2", "r1_r2"] = Field(
        "none", description="on the discriminator's slope"
    )
    weight: Annotated[float, Field(ge=0)] = Field(
        10.0, description="of the penalty; r1 and r2 count half of it, their gamma"
    )
    every: PositiveInt = Field(1, description="computed at every k-th step, k times as heavy")


def _refuse_mixed_images(penalty: Penalty, discriminator: Network) -> None:
    if penalty.kind != "none" and discriminator.norm == "batch":
        raise ValueError(
            "a penalty needs the slope at each image, and batch normalisation mixes images: "
            'set discriminator.norm to "none", "group" or "spectral", or penalty.kind to "none"'
        )


class Adversarial(Family):
    """A generator against a discriminator: what `gan` and `cgan` share."""

    family: str
    latent: PositiveInt = Field(100, description="dimensions of the noise")
    loss: Literal["saturating", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic"] = Field(
        "non_saturating", description="the adversarial objective"
    )
    penalty: Penalty = Penalty()
    augment: tuple[Literal["colour", "translation", "cutout"], ...] = Field(
        (), description="differentiable changes of all images that the discriminator sees"
    )
    discriminator_steps: PositiveInt = Field(1, description="discriminator steps per generator step")
    generator: Network = Conv(norm="batch")
    discriminator: Network = Conv(activation="leaky_relu")

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> Self:
        _refuse_mixed_images(self.penalty, self.discriminator)
        return self

    @model_validator(mode="after")
    def _wasserstein_needs_bounded_slopes(self) -> Self:
        free = self.penalty.kind == "none" or self.penalty.weight == 0
        if self.loss == "wasserstein" and free and self.discriminator.norm != "spectral":
            raise ValueError(
                "the Wasserstein distance needs a critic of bounded slope: "
                'set penalty.kind to "gradient_penalty", or discriminator.norm to "spectral"'
            )
        return self


class GAN(Adversarial):
    """Generative adversarial network (Goodfellow et al. 2014) with the objectives and penalties that came after."""

    family: Literal["gan"] = Field("gan", description="of the model")
    packing: PositiveInt = Field(1, description="images that the discriminator sees at once, on each other's channels")


class VAEGAN(Family):
    """VAE-GAN (Larsen et al. 2016): a VAE whose likelihood is in the features of a discriminator."""

    family: Literal["vaegan"] = Field("vaegan", description="of the model")
    latent: PositiveInt = Field(32, description="dimensions of the latent")
    gamma: Annotated[float, Field(ge=0)] = Field(
        1e-2, description="weight of the feature error, a sum over features, in the decoder's loss"
    )
    layer: PositiveInt | None = Field(
        None, description="hidden layer of the discriminator where images are compared; absent: the last"
    )
    loss: Literal["non_saturating", "least_squares", "hinge", "relativistic"] = Field(
        "non_saturating", description="the adversarial objective"
    )
    penalty: Penalty = Penalty()
    network: Network = Conv(norm="group")
    discriminator: Network = Conv(activation="leaky_relu", norm="group")

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> VAEGAN:
        _refuse_mixed_images(self.penalty, self.discriminator)
        return self


class BiGAN(Family):
    """Bidirectional GAN (Donahue et al. 2017): generator and encoder against a discriminator of pairs."""

    family: Literal["bigan"] = Field("bigan", description="of the model")
    latent: PositiveInt = Field(50, description="dimensions of the latent")
    joint: PositiveInt = Field(512, description="width of the discriminator's layers that see image and latent")
    loss: Literal["non_saturating", "least_squares", "hinge", "relativistic"] = Field(
        "non_saturating", description="the adversarial objective"
    )
    penalty: Penalty = Penalty()
    network: Network = Conv(norm="batch")
    discriminator: Network = Conv(activation="leaky_relu")

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> Self:
        _refuse_mixed_images(self.penalty, self.discriminator)
        return self


class ALI(BiGAN):
    """Adversarially learned inference (Dumoulin et al. 2017): BiGAN with a Gaussian posterior."""

    family: Literal["ali"] = Field("ali", description="of the model")  # type: ignore[assignment]


class InfoGAN(Family):
    """GAN with named codes that a network Q reads off the images (Chen et al. 2016)."""

    family: Literal["infogan"] = Field("infogan", description="of the model")
    latent: PositiveInt = Field(62, description="dimensions of the noise beside the codes")
    categorical: dict[CodeName, Annotated[int, Field(ge=2)]] = Field(
        {"digit": 10}, description="categorical codes: their names, and how many categories each has"
    )
    continuous: tuple[CodeName, ...] = Field(("c1", "c2"), description="names of codes drawn from U(-1, 1)")
    information: Annotated[float, Field(gt=0)] = Field(1.0, description="weight of the categorical codes' information")
    continuous_information: Annotated[float, Field(gt=0)] = Field(
        0.1, description="weight of the continuous codes' information"
    )
    clusters: Annotated[int, Field(ge=0)] = Field(
        0, description="clusters of real images that anchor the first categorical code; 0 is the paper's loss"
    )
    invariance: Annotated[float, Field(gt=0)] = Field(
        4.0, description="weight of the information between clusters of an image and of its distorted neighbour"
    )
    memory: PositiveInt = Field(4096, description="real images kept, among which neighbours are looked up")
    loss: Literal["non_saturating", "least_squares", "hinge", "relativistic"] = Field(
        "non_saturating", description="the adversarial objective"
    )
    penalty: Penalty = Penalty()
    features: PositiveInt = Field(128, description="outputs of the trunk that D and Q share")
    generator: Network = Conv(norm="batch")
    discriminator: Network = Conv(activation="leaky_relu")

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> InfoGAN:
        _refuse_mixed_images(self.penalty, self.discriminator)
        return self

    @model_validator(mode="after")
    def _there_are_more_clusters(self) -> InfoGAN:
        if self.clusters and not self.categorical:
            raise ValueError("clusters anchor a categorical code, and there is none: set categorical, or clusters to 0")
        if self.clusters and self.clusters < (most := next(iter(self.categorical.values()))):
            raise ValueError(f"clusters are merged into {most} categories: set at least as many, best three times")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> InfoGAN:
        names = (*self.categorical, *self.continuous)
        if not names:
            raise ValueError("needs a code: set categorical or continuous, or train a gan")
        if len(set(names)) < len(names):
            raise ValueError(f"two codes have one name: {', '.join(names)}")
        return self


class CGAN(Adversarial):
    """GAN that is told the class (Mirza & Osindero 2014), by a projection discriminator (Miyato & Koyama 2018)."""

    family: Literal["cgan"] = Field("cgan", description="of the model")
    latent: PositiveInt = Field(100, description="dimensions of the noise beside the label")
    classes: tuple[str, ...] = Field((), description="names of the classes; absent: those of the data")
    features: PositiveInt = Field(128, description="outputs of the discriminator's trunk, compared with each class")


class CVAE(Family):
    """VAE that is told the class (Kingma et al. 2014, Sohn et al. 2015)."""

    family: Literal["cvae"] = Field("cvae", description="of the model")
    latent: PositiveInt = Field(16, description="dimensions of the latent beside the label")
    classes: tuple[str, ...] = Field((), description="names of the classes; absent: those of the data")
    likelihood: Literal["bernoulli", "gaussian", "logistic"] = Field(
        "bernoulli", description="of a pixel given the latent and the label"
    )
    features: PositiveInt = Field(128, description="outputs of the encoder's trunk, to which the label is added")
    network: Network = Conv()


def _refuse_no_terms(values: Family, *weights: str) -> None:
    if not any(getattr(values, weight) for weight in weights):
        raise ValueError(f"without {' or '.join(weights)} nothing asks for translations: set one of them above 0")


class CycleGAN(Family):
    """Translate between two kinds of images without pairs (Zhu et al. 2017)."""

    family: Literal["cyclegan"] = Field("cyclegan", description="of the model")
    channels_b: Literal[1, 3] | None = Field(None, description="of domain B's images; absent: those of the data")
    loss: Literal["least_squares", "non_saturating", "hinge"] = Field(
        "least_squares", description="the adversarial objective"
    )
    adversarial: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of deceiving the critics")
    cycle_a: Annotated[float, Field(ge=0)] = Field(10.0, description="weight of the error of A to B and back, in L1")
    cycle_b: Annotated[float, Field(ge=0)] = Field(10.0, description="weight of the error of B to A and back, in L1")
    identity: Annotated[float, Field(ge=0)] = Field(
        5.0,
        description="weight of changing what is of the target already, in L1; where both domains have equal channels",
    )
    zoom: Annotated[float, Field(ge=0, le=4)] = Field(
        1.0, description="how much larger things are drawn in B than in A; 0: measured where training images have ink"
    )
    pool: Annotated[int, Field(ge=0)] = Field(50, description="earlier translations that the critics see again")
    generator: Translator = ResnetTranslator()
    discriminator: Patch = Patch()

    @model_validator(mode="after")
    def _something_is_learned(self) -> Self:
        _refuse_no_terms(self, "adversarial", "cycle_a", "cycle_b")
        return self


class Pix2Pix(Family):
    """Translate images as pairs show it (Isola et al. 2017)."""

    family: Literal["pix2pix"] = Field("pix2pix", description="of the model")
    channels_b: Literal[1, 3] | None = Field(None, description="of domain B's images; absent: those of the data")
    loss: Literal["non_saturating", "least_squares", "hinge"] = Field(
        "non_saturating", description="the adversarial objective"
    )
    adversarial: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of deceiving the critic")
    l1: Annotated[float, Field(ge=0)] = Field(100.0, description="weight of the mean absolute error")
    generator: Translator = Unet()
    discriminator: Patch = Patch()

    @model_validator(mode="after")
    def _something_is_learned(self) -> Self:
        _refuse_no_terms(self, "adversarial", "l1")
        return self


ModelConfig = Annotated[
    Autoencoder | VAE | IWAE | GAN | VAEGAN | BiGAN | ALI | InfoGAN | CGAN | CVAE | CycleGAN | Pix2Pix,
    Field(discriminator="family"),
]
