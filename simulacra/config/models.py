"""The section `model`: one class a family, tagged by ``family``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simulacra.config.adversarial import Adversarial, PairLoss, Penalty, refuse_mixed_images
from simulacra.config.base import Fraction, OneOf, PositiveInt, Section, Weight, Width
from simulacra.config.family import Family, refuse_no_terms
from simulacra.config.networks import AnyNetwork, Conv
from simulacra.config.translators import CycleGAN, Pix2Pix

__all__ = [
    "ALI",
    "CGAN",
    "CVAE",
    "DFCVAE",
    "FAMILIES",
    "GAN",
    "IWAE",
    "VAE",
    "VAEGAN",
    "Autoencoder",
    "BiGAN",
    "DeePSiM",
    "InfoGAN",
    "ModelConfig",
    "Perceptual",
    "add_family",
]

CodeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Likelihood = Literal["bernoulli", "gaussian", "logistic"]


class Autoencoder(Family):
    """Compress and reconstruct (Hinton & Salakhutdinov 2006); with corruption, denoise (Vincent et al. 2008)."""

    family: Literal["autoencoder"] = Field("autoencoder", description="family of the model")
    latent: Width = Field(32, description="dimensions of the code")
    corruption: Weight = Field(
        0.0, description="standard deviation of the Gaussian noise added to inputs, on the [-1, 1] scale"
    )
    network: AnyNetwork = Conv()


class VAE(Family):
    """Variational autoencoder (Kingma & Welling 2014) with weight beta on the KL term (Higgins et al. 2017)."""

    family: Literal["vae"] = Field("vae", description="family of the model")
    latent: Width = Field(16, description="dimensions of the latent")
    likelihood: Likelihood = Field("bernoulli", description="distribution of a pixel given the latent")
    beta: Weight = Field(1.0, description="weight of the KL term; 1 gives the evidence lower bound")
    warmup: Annotated[int, Field(ge=0)] = Field(0, description="steps over which beta rises from 0")
    samples: Annotated[int, Field(gt=0, le=10_000)] = Field(1, description="latents drawn for each image in training")
    network: AnyNetwork = Conv()


class Perceptual(Family):
    """What families share whose reconstructions are compared by what a fixed network sees."""

    latent: Width = Field(64, description="dimensions of the latent")
    pixels: Weight = Field(1.0, description="weight of the mean absolute error of a pixel, on the [-1, 1] scale")
    features: Weight = Field(1.0, description="weight of the perceptual distance, at most 20")
    beta: Weight = Field(1.5e-4, description="weight of the KL term; larger values make samples alike and blurred")
    smoothing: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="width of the prior's kernels around latents of training images, relative to the spread of all; "
        "1: a single Gaussian, small values: samples near training images",
    )
    network: AnyNetwork = Conv(norm="batch")

    @model_validator(mode="after")
    def _something_is_compared(self) -> Self:
        refuse_no_terms(self, "pixels", "features")
        return self


class DFCVAE(Perceptual):
    """Deep feature consistent VAE (Hou et al. 2017): reconstructions are compared by what a fixed network sees."""

    family: Literal["dfcvae"] = Field("dfcvae", description="family of the model")


class DeePSiM(Perceptual):
    """VAE with a perceptual and an adversarial loss (Dosovitskiy & Brox 2016), for new pictures from few."""

    family: Literal["deepsim"] = Field("deepsim", description="family of the model")
    adversarial: Weight = Field(3.0, description="weight of the adversarial loss of reconstructions and samples")
    start: Annotated[int, Field(ge=0)] = Field(
        0, description="number of steps that the VAE is trained alone, before the discriminator joins in"
    )
    loss: PairLoss = Field("non_saturating", description="adversarial objective")
    penalty: Penalty = Penalty()
    heads: Width = Field(64, description="channels of the discriminator's layers on the features of a fixed network")
    discriminator: AnyNetwork = Conv(activation="leaky_relu")
    augment: tuple[Literal["colour", "translation", "cutout"], ...] = Field(
        ("colour", "translation"), description="differentiable augmentations of the images that the discriminator sees"
    )
    overfitting: Fraction = Field(
        0.6,
        description="overfitting of the discriminator above which its images are augmented more often; it is "
        "measured if data.validation is above 0",
    )

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> Self:
        refuse_mixed_images(self.penalty, self.discriminator)
        return self


class IWAE(VAE):
    """Importance weighted autoencoder (Burda et al. 2016): the VAE trained on the k-sample bound."""

    family: Literal["iwae"] = Field("iwae", description="family of the model")  # type: ignore[assignment]
    samples: Annotated[int, Field(gt=0, le=10_000)] = Field(
        5, description="latents drawn for each image, the k of the bound"
    )

    @model_validator(mode="after")
    def _no_beta(self) -> IWAE:
        if self.beta != 1 or self.warmup != 0:
            raise ValueError("the importance-weighted bound has no separate KL term: leave beta at 1 and warmup at 0")
        return self


class GAN(Adversarial):
    """Generative adversarial network (Goodfellow et al. 2014) with the objectives and penalties that came after."""

    family: Literal["gan"] = Field("gan", description="family of the model")
    packing: Annotated[int, Field(gt=0, le=64)] = Field(
        1, description="number of images that the discriminator sees together, concatenated along channels (PacGAN)"
    )


class VAEGAN(Family):
    """VAE-GAN (Larsen et al. 2016): a VAE whose likelihood is in the features of a discriminator."""

    family: Literal["vaegan"] = Field("vaegan", description="family of the model")
    latent: Width = Field(32, description="dimensions of the latent")
    gamma: Weight = Field(1e-2, description="weight of the feature error, summed over features, in the decoder's loss")
    layer: PositiveInt | None = Field(
        None, description="hidden layer of the discriminator in which images are compared; default: the last one"
    )
    loss: PairLoss = Field("non_saturating", description="adversarial objective")
    penalty: Penalty = Penalty()
    network: AnyNetwork = Conv(norm="group")
    discriminator: AnyNetwork = Conv(activation="leaky_relu", norm="group")

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> VAEGAN:
        refuse_mixed_images(self.penalty, self.discriminator)
        return self


class BiGAN(Family):
    """Bidirectional GAN (Donahue et al. 2017): generator and encoder against a discriminator of pairs."""

    family: Literal["bigan"] = Field("bigan", description="family of the model")
    latent: Width = Field(50, description="dimensions of the latent")
    joint: Width = Field(512, description="width of the discriminator's layers that see both image and latent")
    loss: PairLoss = Field("non_saturating", description="adversarial objective")
    penalty: Penalty = Penalty()
    network: AnyNetwork = Conv(norm="batch")
    discriminator: AnyNetwork = Conv(activation="leaky_relu")

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> Self:
        refuse_mixed_images(self.penalty, self.discriminator)
        return self


class ALI(BiGAN):
    """Adversarially learned inference (Dumoulin et al. 2017): BiGAN with a Gaussian posterior."""

    family: Literal["ali"] = Field("ali", description="family of the model")  # type: ignore[assignment]


class InfoGAN(Family):
    """GAN with named codes that a network Q reads off the images (Chen et al. 2016)."""

    family: Literal["infogan"] = Field("infogan", description="family of the model")
    latent: Width = Field(62, description="dimensions of the noise beside the codes")
    categorical: dict[CodeName, Annotated[int, Field(ge=2, le=10_000)]] = Field(
        {"digit": 10}, description="categorical codes: name and number of categories of each"
    )
    continuous: Annotated[tuple[CodeName, ...], Field(max_length=1_000)] = Field(
        ("c1", "c2"), description="names of the continuous codes, drawn from U(-1, 1)"
    )
    information: Annotated[float, Field(gt=0)] = Field(
        1.0, description="weight of the mutual information of the categorical codes"
    )
    continuous_information: Annotated[float, Field(gt=0)] = Field(
        0.1, description="weight of the mutual information of the continuous codes"
    )
    clusters: Annotated[int, Field(ge=0, le=1_000)] = Field(
        0, description="clusters of real images that anchor the first categorical code; 0 gives the paper's loss"
    )
    invariance: Annotated[float, Field(gt=0)] = Field(
        4.0,
        description="weight of the mutual information between the clusters of an image and of its distorted neighbour",
    )
    memory: Annotated[int, Field(gt=0, le=10_000_000)] = Field(
        4096, description="number of recent real images among which neighbours are looked up"
    )
    loss: PairLoss = Field("non_saturating", description="adversarial objective")
    penalty: Penalty = Penalty()
    features: Width = Field(128, description="outputs of the layers that discriminator and Q share")
    generator: AnyNetwork = Conv(norm="batch")
    discriminator: AnyNetwork = Conv(activation="leaky_relu")

    @model_validator(mode="after")
    def _a_penalty_needs_single_images(self) -> InfoGAN:
        refuse_mixed_images(self.penalty, self.discriminator)
        return self

    @model_validator(mode="after")
    def _there_are_more_clusters(self) -> InfoGAN:
        if self.clusters and not self.categorical:
            raise ValueError(
                "clusters need a categorical code to anchor, and there is none: set categorical, or set clusters to 0"
            )
        if self.clusters and self.clusters < (most := next(iter(self.categorical.values()))):
            raise ValueError(
                f"clusters are merged into {most} categories: set at least as many, ideally three times as many"
            )
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> InfoGAN:
        names = (*self.categorical, *self.continuous)
        if not names:
            raise ValueError("needs a code: set categorical or continuous, or train the family gan")
        if len(set(names)) < len(names):
            raise ValueError(f"two codes have the same name: {', '.join(names)}")
        return self


class CGAN(Adversarial):
    """GAN that is told the class (Mirza & Osindero 2014), by a projection discriminator (Miyato & Koyama 2018)."""

    family: Literal["cgan"] = Field("cgan", description="family of the model")
    latent: Width = Field(100, description="dimensions of the noise beside the label")
    classes: tuple[str, ...] = Field((), description="names of the classes; default: those of the data")
    features: Width = Field(128, description="features of an image that the discriminator compares with each class")


class CVAE(Family):
    """VAE that is told the class (Kingma et al. 2014, Sohn et al. 2015)."""

    family: Literal["cvae"] = Field("cvae", description="family of the model")
    latent: Width = Field(16, description="dimensions of the latent beside the label")
    classes: tuple[str, ...] = Field((), description="names of the classes; default: those of the data")
    likelihood: Likelihood = Field("bernoulli", description="distribution of a pixel given the latent and the label")
    features: Width = Field(128, description="features of an image to which the encoder adds the label")
    network: AnyNetwork = Conv()


FAMILIES: dict[str, type[Section]] = {
    section.model_fields["family"].default: section
    for section in (
        Autoencoder,
        VAE,
        DFCVAE,
        DeePSiM,
        IWAE,
        GAN,
        VAEGAN,
        BiGAN,
        ALI,
        InfoGAN,
        CGAN,
        CVAE,
        CycleGAN,
        Pix2Pix,
    )
}
CHOICE = OneOf("family", FAMILIES)
ModelConfig = Annotated[Family, CHOICE]


def add_family(section: type[Family]) -> str:
    """Add the section of a family from outside the package; return its name. Raises `ConfigError` for a name in use."""
    return CHOICE.add(section)
