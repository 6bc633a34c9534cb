"""CycleGAN: two translators that undo each other, each against a critic of the domain that it translates to.

G translates A to B, F translates B to A; L is the adversarial objective.

    L(G, D_B) + L(F, D_A) + lambda_a E |F(G(a)) - a| + lambda_b E |G(F(b)) - b| + lambda_i (E |G(b) - b| + E |F(a) - a|)

Source: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (2017), equations 1 to 4 and
section 5.2, https://arxiv.org/abs/1703.10593
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from simulacra import config, networks, parallel
from simulacra.adversarial import OBJECTIVES, Replay, Terms
from simulacra.data.dataset import Dataset, Images, Unpaired
from simulacra.images import Shape
from simulacra.metrics.diversity import variety
from simulacra.models.base import Model, Round
from simulacra.models.translation import Redrawing
from simulacra.transforms import zoom

INVERTED, COLLAPSED = -0.3, 0.2  # thresholds of `diagnose`


class CycleGAN(Redrawing, Model):
    """First the translators move, then the critics, which also see earlier translations."""

    batch = Unpaired
    directions = ("B", "A")

    def __init__(
        self,
        translators: Mapping[str, nn.Module],
        critics: Mapping[str, nn.Module],
        domains: Mapping[str, Shape],
        values: config.CycleGAN,
    ) -> None:
        super().__init__(domains["A"])
        self.domains = dict(domains)
        self.translators = nn.ModuleDict(translators)  # by the domain that they translate to
        self.critics = nn.ModuleDict(critics)
        self.pools = nn.ModuleDict({name: Replay(values.pool, shape) for name, shape in domains.items()})
        self.loss = OBJECTIVES[values.loss]
        self.adversarial = values.adversarial
        self.cycle = {"A": values.cycle_a, "B": values.cycle_b}  # by the domain that is left and returned to
        factor = values.zoom or 1.0
        self.zoom = {"B": factor, "A": 1 / factor}  # by the domain that is translated to
        self.identity = values.identity if domains["A"].channels == domains["B"].channels else 0.0

    @classmethod
    def build(cls, values: config.CycleGAN, shape: Shape) -> CycleGAN:
        """Build the model of a config for images of A's shape; raises `ConfigError` for sides that do not fit."""
        domains = {"A": shape, "B": shape.with_channels(values.channels_b or shape.channels)}
        a, b = domains["A"], domains["B"]
        return cls(
            {"B": networks.translator(values.generator, a, b), "A": networks.translator(values.generator, b, a)},
            {name: networks.critic(values.discriminator, domain) for name, domain in domains.items()},
            domains,
            values,
        )

    @classmethod
    def completed(cls, values: config.ModelConfig, dataset: Dataset) -> config.ModelConfig:
        """Fill in the channels of domain B and, where it was left open, the zoom that the training images show."""
        values = super().completed(values, dataset)
        assert isinstance(values, config.CycleGAN)
        if dataset.other is None or values.zoom:
            return values
        a, b = dataset.domains.values()
        return values.model_copy(update={"zoom": round(zoom.measure(a.images, b.images), 3)})

    def remarks(self) -> list[str]:
        """Return by how much objects are enlarged before they are drawn as those of domain B."""
        factor = self.zoom["B"]
        return [] if factor == 1 else [f"Objects are {factor:g} times as large in B as in A (model.zoom)."]

    def players(self) -> dict[str, nn.Module]:
        """Two players: both translators, and both critics."""
        return {"translators": self.translators, "critics": self.critics}

    def rounds(self, batch: Images, step: int) -> Iterator[Round]:
        """First the translators, then the critics on what these made, and on what they had made before.

        Without adversarial terms the critics are not used, and not trained.
        """
        del step
        assert isinstance(batch, Unpaired)
        real = {"A": batch.image, "B": batch.other}
        fake_b, same_b = self._translated(real["A"], real["B"], "B")
        fake_a, same_a = self._translated(real["B"], real["A"], "A")
        fake, same = {"A": fake_a, "B": fake_b}, {"A": same_a, "B": same_b}
        self._watch_colours(real["A"], fake_b, real["B"], "B")
        self._watch_colours(real["B"], fake_a, real["A"], "A")
        terms: Terms = {}
        for name, other in (("A", "B"), ("B", "A")):
            if self.adversarial:
                terms |= _named(self.loss.generator(self.critics[name](fake[name])), name, self.adversarial)
            if self.cycle[name]:
                back = self.translate(fake[other], name)
                terms[f"cycle_{name.lower()}"] = self.cycle[name] * l1(back, real[name])
            if self.identity:
                terms[f"identity_{name.lower()}"] = self.identity * l1(same[name], real[name])
        yield {"translators": terms}
        if self.adversarial:
            yield {"critics": self._judged(real, {name: self.pools[name](fake[name]) for name in fake})}

    def arrange(self, x: Tensor, to: str) -> Tensor:
        """Bring objects to the size that they have in domain ``to``."""
        return zoom.zoomed(x, self.zoom[to])

    def redraw(self, x: Tensor, to: str) -> Tensor:
        """Return images of domain ``to`` for images ``(B, C, H, W)`` in [-1, 1] of its sizes."""
        drawn: Tensor = self.translators[to](x)
        return drawn

    def diagnose(self, means: Mapping[str, float]) -> list[str]:
        """Return a warning for each direction in which brightness is inverted, or translations look alike."""
        found = []
        for to, other in (("B", "A"), ("A", "B")):
            if means.get(f"to_{to.lower()}/likeness", 0.0) < INVERTED:
                found.append(
                    f"translations to {to} invert brightness (dark where {other} is bright); unless the domains really "
                    "differ that way, restart with another --seed, or a larger --model.identity"
                )
            if means.get(f"to_{to.lower()}/variety", 1.0) < COLLAPSED:
                found.append(
                    f"translations to {to} look nearly all alike; restart with a larger "
                    f"--model.cycle_{other.lower()}, or a smaller --model.adversarial"
                )
        return found

    def _translated(self, x: Tensor, already: Tensor, to: str) -> tuple[Tensor, Tensor]:
        """Translate images; with an identity term also redraw images of the target domain, in the same pass."""
        x = self.arrange(x, to)
        if not self.identity:
            return self.redraw(x, to), already
        fake, same = torch.split(self.redraw(torch.cat([x, already]), to), [len(x), len(already)])
        return fake, same

    def _judged(self, real: Mapping[str, Tensor], fake: Mapping[str, Tensor]) -> Terms:
        terms: Terms = {}
        for name in real:
            on_real, on_fake = self.critics[name](torch.cat([real[name], fake[name]])).chunk(2)
            self.watch(f"critics/accuracy_{name.lower()}", self.loss.accuracy(on_real, on_fake))
            terms |= _named(self.loss.discriminator(on_real, on_fake), name, 1.0)
        return terms

    @torch.no_grad()
    def _watch_colours(self, x: Tensor, fake: Tensor, target: Tensor, to: str) -> None:
        """Watch the correlation of brightness before and after, and the variety beside that of real images."""
        before, after = (image.mean(1).flatten(1) for image in (x, fake))
        before, after = before - before.mean(1, keepdim=True), after - after.mean(1, keepdim=True)
        product, first, second = parallel.mean(
            torch.stack([(before * after).sum(), before.square().sum(), after.square().sum()])
        )
        likeness = product / (first * second).sqrt().clamp(min=1e-6)
        self.watch(f"to_{to.lower()}/likeness", likeness)
        if parallel.total(len(fake)) > 1:
            self.watch(f"to_{to.lower()}/variety", variety(fake, target))


def l1(images: Tensor, targets: Tensor) -> Tensor:
    """Return the mean absolute error on the [-1, 1] scale, which the paper's weights are meant for."""
    return (images - targets).abs().mean()


def _named(terms: Terms, domain: str, weight: float) -> Terms:
    return {f"{name}_{domain.lower()}": weight * term for name, term in terms.items()}
