"""Categories of real images, found without labels: many small clusters, of which those that meet most become one."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

RAREST = 1e-12  # joint probability, whose logarithm is taken
KEPT = 0.99  # of the running joint probabilities, at a step
EVERY = 100  # steps between two mergers
SETTLED = 600  # steps until the clusters are worth naming


def joint(p: Tensor, q: Tensor) -> Tensor:
    """Return ``P(a, b) = mean_i p_i(a) q_i(b)``, made symmetric, ``(M, M)``; ``p``, ``q`` are ``(B, M)``.

    Source: Invariant Information Clustering (2019), equation 2, https://arxiv.org/abs/1807.06653
    """
    with torch.autocast(p.device.type, enabled=False):  # a small difference of numbers near log M
        together = p.float().t() @ q.float() / len(p)
    return (together + together.t()) / 2


def information(joint: Tensor) -> Tensor:
    """Return I(a; b) in nats of symmetric joint probabilities ``(M, M)``; from 0 to log M."""
    joint = joint.clamp(min=RAREST)
    marginal = joint.sum(0)
    return torch.xlogy(joint, joint).sum() - 2 * torch.xlogy(marginal, marginal).sum()


def merged(joint: Tensor, categories: int) -> Tensor:
    """Return the category ``(M,)``, int64, of each cluster; pair after pair is merged, so that most of I(a; b) is kept.

    Source: Agglomerative Information Bottleneck (1999),
    https://papers.nips.cc/paper_files/paper/1999/hash/be3e9d3f7d70537357c67bb3f4086846-Abstract.html
    """
    together = joint.double().cpu()
    members = [[cluster] for cluster in range(len(together))]
    while len(members) > categories:
        pairs = list(itertools.combinations(range(len(members)), 2))
        kept = [float(information(_merge(together, *pair))) for pair in pairs]
        first, second = pairs[kept.index(max(kept))]
        together = _merge(together, first, second)
        members[first] += members.pop(second)
    category = torch.zeros(len(joint), dtype=torch.int64)
    for index, clusters in enumerate(members):
        category[clusters] = index
    return category


def _merge(joint: Tensor, first: int, second: int) -> Tensor:
    """Joint probabilities after two clusters became one, in the place of the first."""
    rows = joint.index_add(0, torch.tensor([first]), joint[second : second + 1])
    both = rows.index_add(1, torch.tensor([first]), rows[:, second : second + 1])
    rest = [index for index in range(len(joint)) if index != second]
    return both[rest][:, rest]


class Clustering(nn.Module):
    """Which category each of ``clusters`` belongs to; the statistics are buffers, saved with the model."""

    joint: Tensor
    category: Tensor
    steps: Tensor

    def __init__(self, clusters: int, categories: int) -> None:
        super().__init__()
        self.categories = categories
        self.register_buffer("joint", torch.zeros(clusters, clusters))
        self.register_buffer("category", torch.tensor([cluster % categories for cluster in range(clusters)]))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def settled(self) -> bool:
        """Whether categories are worth naming yet."""
        return int(self.steps) > SETTLED

    @torch.no_grad()
    def update(self, joint: Tensor) -> None:
        """Take in the joint probabilities ``(M, M)`` of a batch; now and then, merge anew."""
        self.joint.lerp_(joint.detach(), 1 - KEPT if int(self.steps) else 1.0)
        self.steps += 1
        if int(self.steps) % EVERY == 0 and int(self.steps) >= SETTLED:
            self.category.copy_(self._renamed(merged(self.joint, self.categories).to(self.category)))

    def _renamed(self, category: Tensor) -> Tensor:
        """The same categories under the names they had, as far as most of their images agree."""
        shared = torch.zeros(self.categories, self.categories, dtype=self.joint.dtype, device=self.joint.device)
        shared.index_put_((category, self.category), self.joint.sum(0), accumulate=True)
        names = torch.zeros_like(category[: self.categories])
        for _ in range(self.categories):
            new, old = divmod(int(shared.argmax()), self.categories)
            names[new] = old
            shared[new], shared[:, old] = -1.0, -1.0
        return names[category]

    def forward(self, p: Tensor) -> Tensor:
        """Return the category ``(B,)`` of images with probabilities ``(B, M)`` of clusters."""
        return self.category[p.argmax(1)]
