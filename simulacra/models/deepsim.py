"""A VAE that is compared by how its images look, with a discriminator of reconstructions and of samples: DeePSiM.

    model:          w_1 |x - G(z)|_1 + w_2 d(x, G(z)) + beta KL(q(z | x) || N(0, I)) + w_3 L_G(G(z), G(z_p))
    discriminator:  L_D(x; G(z), G(z_p)) + penalty           z ~ q(z | x), z_p ~ the Gaussian of the training latents

d compares the activations of a fixed network. The errors hold each training image to a latent, so that none is left
out and layouts are learned at once; the discriminator asks for the detail that they leave open, in reconstructions and
in samples. It sees pixels and the fixed network's activations. It learns few images by heart; therefore what it sees is
augmented with a probability that rises while it ranks training images above held-out ones. All images of a step are
moved alike before either network sees them: a stripe that falls between the fixed network's strides would stay unseen.
Sources: Generating Images with Perceptual Similarity Metrics based on Deep Networks (2016), section 3 and 4.3,
https://arxiv.org/abs/1602.02644; Autoencoding beyond pixels using a learned similarity metric (2016), algorithm 1,
https://arxiv.org/abs/1512.09300; The GAN is dead; long live the GAN! (2024), https://arxiv.org/abs/2501.05441;
Training Generative Adversarial Networks with Limited Data (2020), section 3, https://arxiv.org/abs/2006.06676
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from simulacra import config, parallel
from simulacra.adversarial import AUGMENTATIONS, OBJECTIVES, lazy, sometimes
from simulacra.data.dataset import Dataset, Images
from simulacra.images import Shape, from_bytes
from simulacra.models.base import Round, Terms
from simulacra.models.dfcvae import Perceptual
from simulacra.networks.projected import Projected, projections

MOST = 0.8  # probability of an augmentation: below it, what is generated does not show augmentations
EVERY = 4  # steps between two measurements of overfitting
PACE = 50_000  # images in which the probability can rise from 0 to 1
OVERFITTING = "discriminator/overfitting"
PROBABILITY = "discriminator/augmented"
JITTER = 8  # part of a side by which images are moved before a network sees them
OF_FEATURES = 0.1  # weight of the penalty on slopes in the fixed network's activations, relative to that in pixels


class DeePSiM(Perceptual):
    """Two players that move at once: encoder with decoder, and the discriminator."""

    probability: Tensor
    held: Tensor

    def __init__(self, shape: Shape, values: config.DeePSiM) -> None:
        super().__init__(shape, values)
        self.discriminator = Projected(values.discriminator, values.heads, shape)
        self.options = values
        self.loss = OBJECTIVES[values.loss]
        self.penalty = lazy(values.penalty)
        self.augmentations = [AUGMENTATIONS[name] for name in values.augment]
        self.register_buffer("probability", torch.zeros(()))
        self.register_buffer("held", torch.zeros(0, dtype=torch.uint8), persistent=False)

    @classmethod
    def build(cls, values: config.DeePSiM, shape: Shape) -> Self:
        """Build the model of a config for images of a shape."""
        return cls(shape, values)

    def hold_out(self, dataset: Dataset) -> None:
        """Measure overfitting by these images, which are not trained on."""
        self.held = dataset.images.to(self.mean.device)

    def players(self) -> dict[str, nn.Module]:
        """Two players: encoder with decoder, and discriminator."""
        return {"model": nn.ModuleList([self.encoder, self.decoder]), "discriminator": self.discriminator}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """One round. For ``start`` steps the VAE moves alone; then half of what is decoded are samples."""
        x = batch.image
        alone = step < self.options.start
        repeated = x if alone else x[::2]
        q = self.posterior(repeated)
        z = q.rsample()
        self.follow(z.detach())
        y = self.decoder(z if alone else torch.cat([z, self.prior(len(x) - len(z))]))
        terms = self.errors(repeated, y[: len(z)]) | {"kl": self.values.beta * q.kl().mean()}
        if alone:
            yield {"model": terms}
        else:
            model, discriminator = self._game(x, y, step)
            yield {"model": terms | model, "discriminator": discriminator}

    def _game(self, x: Tensor, y: Tensor, step: int) -> tuple[Terms, Terms]:
        """Return the adversarial terms of both players: every other image stands beside its own reconstruction."""
        both = self.augmented(torch.cat([x, y]))
        on_real, on_fake = self.discriminator(both).chunk(2)
        pairs = torch.cat([on_real[::2], on_real[1::2]])
        self.watch("discriminator/accuracy", self.loss.accuracy(pairs, on_fake))
        if len(self.held) and step % EVERY == 0:
            self._adapt(on_real.detach())
        generator = self.loss.generator(on_fake, lambda: pairs)
        seen, imagined = both.detach().chunk(2)
        return (
            {name: self.options.adversarial * term for name, term in generator.items()},
            self.loss.discriminator(pairs, on_fake) | self._penalties(seen, imagined, step),
        )

    def errors(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Return the two weighted errors of reconstructions, moved like their originals in training."""
        return super().errors(*jittered(torch.stack([x, y]))) if self.training else super().errors(x, y)

    def augmented(self, x: Tensor) -> Tensor:
        """Return images as the discriminator sees them: in training moved, and with a probability augmented."""
        x = jittered(x[None])[0] if self.training else x
        probability = float(self.probability)
        for augmentation in self.augmentations:
            x = sometimes(augmentation, x, probability)
        return x

    def remarks_on(self, steps: int) -> list[str]:
        """Say when a training ends before the discriminator has joined in."""
        if self.options.start < steps:
            return []
        return [
            f"The discriminator joins in after {self.options.start:,} steps, and this training has {steps:,}: the "
            f"model stays a VAE, whose details are soft. Set --model.start {steps * 3 // 4}."
        ]

    def diagnose(self, means: Mapping[str, float]) -> list[str]:
        """Say when the discriminator knows the training images by heart although augmentation does what it can."""
        overfitting = means.get(OVERFITTING, 0.0)
        if means.get(PROBABILITY, 0.0) < 0.99 * MOST or overfitting < self.options.overfitting:
            return []
        return [
            f"the discriminator has memorised the training pictures (overfitting {overfitting:.2f}, target "
            f"{self.options.overfitting:g}), and augmentation is at its largest probability: stop here, or add pictures"
        ]

    def _penalties(self, real: Tensor, fake: Tensor, step: int) -> Terms:
        """Penalise slopes at real images and at samples: in pixels and, lighter, in what the fixed network sees."""
        critic = self.discriminator
        terms = self.penalty(critic.pixels, real, fake, step)
        if step % self.penalty.every:
            return terms
        with torch.no_grad():
            features = [projections(x)[:, :, None, None] for x in (real, fake)]
        others = self.penalty(lambda f: critic.judge(f.flatten(1)), features[0], features[1], step)
        return {name: term + OF_FEATURES * others[name] for name, term in terms.items()}

    @torch.no_grad()
    def _adapt(self, on_real: Tensor) -> None:
        """Augment more often while training images are ranked above held-out ones, less often otherwise.

        The gauge is the mean of ``sign(D(x) - D(x_held))`` over all pairs: 0 without overfitting, 1 when all training
        images are ranked above all held-out ones.
        """
        index = parallel.drawn(lambda rows: torch.randint(len(self.held), (rows,)), len(on_real))
        on_held = self.discriminator(self.augmented(from_bytes(self.held[index.to(self.held.device)])))
        known, unknown = (parallel.gather(logits.mean(1)) for logits in (on_real, on_held))
        gauge = torch.sign(known[:, None] - unknown).mean()
        self.probability += torch.sign(gauge - self.options.overfitting) * EVERY * len(known) / PACE
        self.probability.clamp_(0.0, MOST)
        self.watch(OVERFITTING, gauge)
        self.watch(PROBABILITY, self.probability.clone())


def jittered(x: Tensor) -> Tensor:
    """Move images ``(K, B, C, H, W)`` alike by up to an eighth of their sides; what comes in is mirrored."""
    reaches = [side // JITTER for side in x.shape[-2:]]
    down, across = (int(torch.randint(0, 2 * reach + 1, ())) for reach in reaches)
    rows, columns = reaches
    padded = F.pad(x.flatten(0, 1), (columns, columns, rows, rows), mode="reflect")
    return padded[..., down : down + x.shape[-2], across : across + x.shape[-1]].reshape(x.shape)
