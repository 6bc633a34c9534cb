"""InfoGAN: a GAN whose generator also obeys named codes c, because a network Q must read them off its images.

``min_{G, Q} max_D V(D, G) - L(G, Q)`` with ``L = E_{c ~ P(c), x ~ G(z, c)} log Q(c | x) + H(c) <= I(c; G(z, c))``

Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets (2016),
equations 5 and 6, https://arxiv.org/abs/1606.03657
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from simulacra import config, networks
from simulacra.adversarial import OBJECTIVES, Lazy, Objective, lazy
from simulacra.data.augment import affine, stroke
from simulacra.data.dataset import Images
from simulacra.models.base import CodePrior, Model, Round, Terms
from simulacra.models.codes import Categorical, Codes, Continuous
from simulacra.networks import Shape

RAREST = 1e-12  # joint probability, whose logarithm is taken


class Recogniser(nn.Module):
    """D and Q: one trunk, a head for real or generated, a head for the codes.

    Q's head is normalised over a batch, as in the paper, but of real and generated images together: over generated ones
    alone, the least difference between them would tell as much as a large one, and the generator would collapse.
    ``norm`` is that of the layers between an image and D's logit.
    """

    def __init__(self, trunk: nn.Module, features: int, outputs: int, norm: str = "none") -> None:
        super().__init__()
        self.trunk = trunk
        self.real = networks.head(features, 1, norm)
        self.codes = nn.Sequential(
            networks.head(features, features), nn.BatchNorm1d(features), networks.head(features, outputs)
        )

    def judge(self, x: Tensor) -> Tensor:
        """Return D's logits ``(B, 1)`` for images ``(B, C, H, W)``."""
        logits: Tensor = self.real(self.trunk(x))
        return logits

    def infer(self, x: Tensor) -> Tensor:
        """Return Q's outputs ``(B, outputs)`` for images ``(B, C, H, W)``."""
        outputs: Tensor = self.codes(self.trunk(x))
        return outputs


class InfoGAN(CodePrior, Model):
    """Two players; the discriminator's parameters include Q's, and both players maximise the information L.

    With ``invariance``, Q also maximises the information between the categories it sees in a real image and in a
    distorted copy of it, so that categories are what distortions leave as it is.
    Source: Invariant Information Clustering (2019), equation 3, https://arxiv.org/abs/1807.06653
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: Recogniser,
        codes: Codes,
        loss: Objective,
        shape: Shape,
        *,
        penalty: Lazy | None = None,
        information: float = 1.0,
        continuous: float = 0.1,
        invariance: float = 0.0,
    ) -> None:
        super().__init__(shape)
        self.generator = generator
        self.discriminator = discriminator
        self.codes = codes
        self.loss = loss
        self.penalty = penalty
        self.information = information
        self.continuous = continuous
        self.invariance = invariance

    @classmethod
    def build(cls, values: config.InfoGAN, shape: Shape) -> InfoGAN:
        """Build the model of a config for images of a shape."""
        categorical = [Categorical(name, count) for name, count in values.categorical.items()]
        codes = Codes(values.latent, [*categorical, *map(Continuous, values.continuous)])
        trunk = networks.encoder(values.discriminator, shape, values.features)
        return cls(
            networks.decoder(values.generator, codes.latent, shape, shape.channels),
            Recogniser(trunk, values.features, codes.outputs, values.discriminator.norm),
            codes,
            OBJECTIVES[values.loss],
            shape,
            penalty=lazy(values.penalty),
            information=values.information,
            continuous=values.continuous_information,
            invariance=values.invariance,
        )

    def players(self) -> dict[str, nn.Module]:
        """Two players: the discriminator with Q, and the generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First D and Q, on real images and on fakes; then the generator on the same fakes."""
        z = self.prior(len(batch))
        fake = self.decode(z)
        views = [batch.image, distorted(batch.image)] if self.invariance else [batch.image]
        penalty = self.penalty(self.discriminator.judge, batch.image, fake.detach(), step) if self.penalty else {}
        yield {"discriminator": self._recognise(views, fake.detach(), z) | penalty}
        yield {"generator": self._deceive(views, fake, z)}

    def _recognise(self, views: Sequence[Tensor], fake: Tensor, z: Tensor) -> Terms:
        *seen, seen_fake = [self.discriminator.trunk(x) for x in (*views, fake)]
        *told, told_fake = self.discriminator.codes(torch.cat([*seen, seen_fake])).chunk(len(views) + 1)
        on_real, on_fake = self.discriminator.real(seen[0]), self.discriminator.real(seen_fake)
        self.watch("discriminator/accuracy", self.loss.accuracy(on_real, on_fake))
        terms = self.loss.discriminator(on_real, on_fake) | self.uncertainty(told_fake, z)
        return terms | self.steadiness(*told) if self.invariance else terms

    def _deceive(self, views: Sequence[Tensor], fake: Tensor, z: Tensor) -> Terms:
        with torch.no_grad():
            seen = [self.discriminator.trunk(x) for x in views]  # beside which Q's head saw the fakes before, too
        seen_fake = self.discriminator.trunk(fake)
        told_fake = self.discriminator.codes(torch.cat([*seen, seen_fake]))[-len(fake) :]
        on_fake = self.discriminator.real(seen_fake)
        return self.loss.generator(on_fake, lambda: self.discriminator.real(seen[0]).detach()) | self.uncertainty(
            told_fake, z
        )

    def uncertainty(self, told: Tensor, z: Tensor) -> Terms:
        """Return the weighted ``-log Q(c | x)`` of each code c of ``z``: what L lacks of the codes' entropy."""
        nll = self.codes.nll(told, z)
        weight = {Categorical: self.information, Continuous: self.continuous}
        return {f"code_{code.name}": weight[type(code)] * nll[code.name].mean() for code in self.codes}

    def steadiness(self, before: Tensor, after: Tensor) -> Terms:
        """Return the weighted, negative information that categories keep when real images are distorted."""
        said, again = self.codes.split_outputs(before), self.codes.split_outputs(after)
        return {
            f"invariance_{code.name}": -self.invariance
            * mutual_information(said[code.name].softmax(1), again[code.name].softmax(1))
            for code in self.codes
            if isinstance(code, Categorical)
        }

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``, noise and codes."""
        return torch.tanh(self.generator(z))

    def infer(self, x: Tensor) -> Tensor:
        """Return the codes ``(B, codes.width)`` that Q reads off images: probabilities of categories, and means."""
        return self.codes.infer(self.discriminator.infer(x))


def distorted(x: Tensor) -> Tensor:
    """Return another view of each image: turned, sheared, scaled, moved, its strokes thicker or thinner."""
    return stroke(affine(x, torch.default_generator), torch.default_generator)


def mutual_information(p: Tensor, q: Tensor) -> Tensor:
    """Return I(a; b) in nats for categories a, b of one image, given probabilities ``(B, K)`` of each, drawn apart.

    ``P(a, b) = mean_i p_i(a) q_i(b)``, made symmetric; from 0 to log K. Source: Invariant Information Clustering
    (2019), equations 2 and 3, https://arxiv.org/abs/1807.06653
    """
    with torch.autocast(p.device.type, enabled=False):  # a small difference of numbers near log K
        joint = p.float().t() @ q.float() / len(p)
    joint = ((joint + joint.t()) / 2).clamp(min=RAREST)
    marginal = joint.sum(0)
    return torch.xlogy(joint, joint).sum() - 2 * torch.xlogy(marginal, marginal).sum()
