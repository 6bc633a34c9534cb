"""InfoGAN: a GAN whose generator also obeys named codes c, because a network Q must infer them from its images.

``min_{G, Q} max_D V(D, G) - L(G, Q)`` with ``L = E_{c ~ P(c), x ~ G(z, c)} log Q(c | x) + H(c) <= I(c; G(z, c))``

Source: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets (2016),
equations 5 and 6, https://arxiv.org/abs/1606.03657
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import config, networks, parallel
from simulacra.adversarial import OBJECTIVES, lazy
from simulacra.data.dataset import Images
from simulacra.distributions import before_tanh
from simulacra.images import Shape
from simulacra.models.base import CodePrior, Model, Round, Terms
from simulacra.models.clustering import Clustering, information, joint
from simulacra.models.codes import Categorical, Code, Codes, Continuous
from simulacra.models.memory import Memory
from simulacra.transforms import Pipeline

VIEW = Pipeline.parse("affine, stroke")  # of an image, which leaves its category as it is


class Recogniser(nn.Module):
    """D and Q: a shared trunk, a head for real or generated, one for the codes, and one for clusters of real images.

    Each head has a hidden layer. Q's has batch normalisation, as in the paper, but over real and generated images
    together: over generated images alone the smallest difference between them would be as informative as a large one,
    and the generator would collapse.
    """

    def __init__(self, network: config.Network, shape: Shape, features: int, outputs: int, clusters: int = 0) -> None:
        super().__init__()
        self.trunk, real = networks.split(networks.encoder(network, shape, features), None)
        self.real = nn.Sequential(real, networks.head(features, 1, network.norm))

        def normalised(outputs: int) -> nn.Module:
            _, hidden = networks.split(networks.encoder(network, shape, features), None)
            return nn.Sequential(hidden, nn.BatchNorm1d(features), networks.head(features, outputs))

        self.codes = normalised(outputs)
        self.clusters = normalised(clusters) if clusters else None

    def logits(self, x: Tensor) -> Tensor:
        """Return D's logits ``(B, 1)`` for images ``(B, C, H, W)``."""
        logits: Tensor = self.real(self.trunk(x))
        return logits

    def infer(self, x: Tensor) -> Tensor:
        """Return Q's outputs ``(B, outputs)`` for images ``(B, C, H, W)``."""
        outputs: Tensor = self.codes(self.trunk(x))
        return outputs


class InfoGAN(CodePrior, Model):
    """Two players; the discriminator's parameters include Q's, and both players maximise the information L.

    With ``clusters``, categories are anchored in real images. A third head of the discriminator divides these into many
    clusters, by maximising the information between the cluster of an image and that of a distorted copy of its nearest
    neighbour; clusters that meet often become one category (`Clustering`), and Q learns to tell these categories too.
    Source: Invariant Information Clustering (2019), equation 3, https://arxiv.org/abs/1807.06653
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: Recogniser,
        shape: Shape,
        values: config.InfoGAN,
    ) -> None:
        super().__init__(shape)
        self.generator = generator
        self.discriminator = discriminator
        self.codes = codes_of(values)
        self.loss = OBJECTIVES[values.loss]
        self.penalty = lazy(values.penalty)
        self.values = values
        anchored = values.clusters > 0
        self.memory = Memory(values.memory, shape) if anchored else None
        self.clustering = Clustering(values.clusters, next(iter(values.categorical.values()))) if anchored else None

    @classmethod
    def build(cls, values: config.InfoGAN, shape: Shape) -> InfoGAN:
        """Build the model of a config for images of a shape."""
        codes = codes_of(values)
        return cls(
            networks.decoder(values.generator, codes.latent, shape, shape.channels),
            Recogniser(values.discriminator, shape, values.features, codes.outputs, values.clusters),
            shape,
            values,
        )

    def players(self) -> dict[str, nn.Module]:
        """Two players: the discriminator with Q, and the generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def begin(self, mean: Tensor) -> None:
        """Begin at the mean image: the first generated images spread around it."""
        networks.begin_at(self.generator, mean, before_tanh)

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First D and Q, on real images and on fakes; then the generator on the same fakes."""
        z = self.prior(len(batch))
        fake = self.decode(z)
        reals, fakes = self._views(batch.image, self._alike(batch.image)), self._views(fake, fake)
        penalty = self.penalty(self.discriminator.logits, batch.image, fake.detach(), step)
        yield {"discriminator": self._recognise(reals, [x.detach() for x in fakes], z) | penalty}
        yield {"generator": self._fool(reals, fakes, z)}

    def _alike(self, x: Tensor) -> Tensor:
        return self.memory.nearest(x) if self.memory else x

    def _views(self, x: Tensor, alike: Tensor) -> list[Tensor]:
        return [x, distorted(alike)] if self.clustering else [x]

    def _recognise(self, reals: Sequence[Tensor], fakes: Sequence[Tensor], z: Tensor) -> Terms:
        seen = [self.discriminator.trunk(x) for x in (*reals, *fakes)]
        told = self.discriminator.codes(torch.cat(seen)).chunk(len(seen))
        on_real, on_fake = self.discriminator.real(seen[0]), self.discriminator.real(seen[len(reals)])
        self.watch("discriminator/accuracy", self.loss.accuracy(on_real, on_fake))
        terms = self.loss.discriminator(on_real, on_fake) | self.uncertainty(told[len(reals) :], z)
        return terms | self.anchor(seen[: len(reals)], told[: len(reals)])

    def _fool(self, reals: Sequence[Tensor], fakes: Sequence[Tensor], z: Tensor) -> Terms:
        with torch.no_grad():
            seen_reals = [self.discriminator.trunk(x) for x in reals]  # beside which Q's head saw the fakes before, too
        seen = [self.discriminator.trunk(x) for x in fakes]
        told = self.discriminator.codes(torch.cat([*seen_reals, *seen])).chunk(len(reals) + len(fakes))
        on_fake = self.discriminator.real(seen[0])
        adversarial = self.loss.generator(on_fake, lambda: self.discriminator.real(seen_reals[0]).detach())
        return adversarial | self.uncertainty(told[len(reals) :], z)

    def uncertainty(self, told: Sequence[Tensor], z: Tensor) -> Terms:
        """Return the weighted ``-log Q(c | x)`` of each code c of ``z``: what L lacks of the codes' entropy.

        ``told`` are Q's outputs for the images and, if categories are anchored, for distorted copies, from which
        categories are inferred, so that they cannot hide in differences of a few pixels. Until the clusters have
        settled, categories have weight 0.
        """
        plain, last = self.codes.nll(told[0], z), self.codes.nll(told[-1], z)
        return {
            f"code_{code.name}": self._weight(code)
            * (last if isinstance(code, Categorical) else plain)[code.name].mean()
            for code in self.codes
        }

    def _weight(self, code: Code) -> float:
        if isinstance(code, Continuous):
            return self.values.continuous_information
        return self.values.information if self.clustering is None or self.clustering.settled else 0.0

    def anchor(self, seen: Sequence[Tensor], told: Sequence[Tensor]) -> Terms:
        """Return what finds categories in real images, and ``-log Q(category | x)``; nothing without clusters.

        ``seen`` are the trunk's outputs for images and distorted neighbours, ``told`` Q's.
        """
        if self.clustering is None:
            return {}
        assert self.discriminator.clusters is not None
        p, q = self.discriminator.clusters(torch.cat([*seen])).softmax(1).chunk(2)
        together = parallel.mean(joint(p, q))
        self.clustering.update(together)
        name, category = self.codes.names[0], self.clustering(p)
        nll = torch.stack([F.cross_entropy(self.codes.split_outputs(said)[name], category) for said in told]).sum()
        return {
            "clusters": -self.values.invariance * information(together),
            f"anchor_{name}": self._weight(self.codes[name]) * nll,
        }

    def decode(self, z: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` in [-1, 1] of latents ``(B, latent)``, noise and codes."""
        return torch.tanh(self.generator(z))

    def infer(self, x: Tensor) -> Tensor:
        """Return the codes ``(B, codes.width)`` that Q infers: probabilities of categories, and means."""
        return self.codes.infer(self.discriminator.infer(x))


def codes_of(values: config.InfoGAN) -> Codes:
    """Lay out a latent: the noise, the categorical codes, the continuous codes."""
    categorical = [Categorical(name, count) for name, count in values.categorical.items()]
    return Codes(values.latent, [*categorical, *map(Continuous, values.continuous)])


def distorted(x: Tensor) -> Tensor:
    """Return another view of each image: turned, sheared, scaled, moved, its strokes thicker or thinner."""
    return VIEW(x, torch.default_generator)
