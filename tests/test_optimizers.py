"""Optimizers that do not import PyTorch's compiler compute what PyTorch's do."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from simulacra import optimizers

OPTIONS: dict[str, dict[str, Any]] = {
    "Adam": {"betas": (0.5, 0.9), "fused": True},
    "AdamW": {"weight_decay": 0.1, "fused": True},
    "RMSprop": {"weight_decay": 0.1},
    "SGD": {"momentum": 0.9},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_same_steps_and_states_as_pytorch(name: str) -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(5, 3), torch.randn(4, 5, 3)
    ends, states = [], []
    for module in (torch.optim, optimizers):
        weight = torch.nn.Parameter(start.clone())
        optimizer = getattr(module, name)([weight], lr=0.1, **OPTIONS[name])
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)
        for index, gradient in enumerate(gradients):
            optimizer.zero_grad()
            assert weight.grad is None
            weight.grad = gradient.clone()
            if index == 2:
                optimizer.load_state_dict(optimizer.state_dict())
            optimizer.step()
            schedule.step()
        ends.append(weight.detach())
        states.append(optimizer.state_dict())
    assert torch.equal(*ends)
    assert not torch.equal(ends[0], start)
    assert states[0].keys() == states[1].keys()
    for key, value in states[0]["state"][0].items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(states[1]["state"][0][key])), key
    assert not ends[1].requires_grad


def test_a_training_does_not_import_the_compiler() -> None:
    code = (
        "import sys, torch; from torch import nn; from simulacra.config import Optimizer; "
        "from simulacra.training import optim, session; layer = nn.Linear(2, 2); "
        "o = optim.build(Optimizer(), layer.parameters()); layer(torch.ones(1, 2)).sum().backward(); o.step(); "
        "o.zero_grad(); o.load_state_dict(o.state_dict()); assert 'torch._dynamo' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
