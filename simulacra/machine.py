"""What this machine is and has: devices, bfloat16 units, the tools that some options need."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from simulacra.config import Train
from simulacra.errors import ConfigError


def device(name: str) -> torch.device:
    """Return the device of a name, "auto" being a GPU if there is one; raises `ConfigError` for absent ones."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ConfigError(f"train.device: '{name}' is not available on this machine. Use {_devices()}.") from None
    if found.type == "meta":
        raise ConfigError(f"train.device: 'meta' holds no numbers. Use {_devices()}.")
    return found


def _devices() -> str:
    """The names of devices that this machine has."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    first = ["auto", "cpu", *(name for name, available in there.items() if available)]
    return f"{', '.join(first[:-1])} or {first[-1]}"


def cache() -> Path:
    """The user's cache folder of this package: ``$XDG_CACHE_HOME/simulacra``, else ``~/.cache/simulacra``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simulacra"


def check_tools(values: Train, device: torch.device) -> None:
    """Refuse options whose tools are not installed before anything is written."""
    if values.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ConfigError("train.tensorboard needs the extra: pip install 'simulacra[tensorboard]'")
    compilers = ("c++", "g++", "clang++", "cl")
    if values.compile and device.type == "cpu" and not any(map(shutil.which, compilers)):
        raise ConfigError("train.compile needs a C++ compiler on the CPU; install g++, or leave it off.")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has matrix units for bfloat16: there it is several times faster, elsewhere slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and "amx_bf16" in _cpu_flags()


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Let a GPU multiply float32 as float32: its convolutions round to 10 bits (TF32) unless told otherwise."""
    cudnn: Any = torch.backends.cudnn
    units = (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul)
    before = [unit.fp32_precision for unit in units]
    try:
        for unit in units:
            unit.fp32_precision = "ieee"
        yield
    finally:
        for unit, precision in zip(units, before, strict=True):
            unit.fp32_precision = precision


def _cpu_flags() -> list[str]:
    return _cpuinfo("flags").split()


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    return _cpuinfo("model name") or platform.processor()


def _cpuinfo(key: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return ""


def extra(module: str, user: str, name: str = "evaluate") -> Any:
    """Import a module of an optional package; ``user`` is what needs it, ``name`` the extra that brings it."""
    try:
        return import_module(module)
    except ImportError:
        raise ConfigError(f"{user} needs the extra: pip install 'simulacra[{name}]'") from None
