"""What this machine is and has: devices, free memory, bfloat16 units, a cache, the tools that some options need."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulacra.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from simulacra.config import Train

ROOT_VARIABLE = "SIMULACRA_DATA"
SILENT = ("ORT_DISABLE_TELEMETRY", "1")  # else onnxruntime reports to its makers, and leaves a file in /tmp
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # of mallopt, in bytes; the last one is 32 MB at most


def device(name: str) -> torch.device:
    """Return the device of a name, "auto" being a GPU if there is one; raises `ConfigError` for absent ones."""
    import torch

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


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next step of a training, which asks for the same again.

    glibc returns large blocks to the kernel at once, and gets them back zeroed, page by page. With another library
    nothing is done. Results are the same bits.
    Source: mallopt(3), https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, size in ((MMAP_THRESHOLD, 32 << 20), (TRIM_THRESHOLD, 512 << 20), (TOP_PAD, 64 << 20)):
        mallopt(parameter, size)


def _devices() -> str:
    """The names of devices that this machine has."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    first = ["auto", "cpu", *(name for name, available in there.items() if available)]
    return f"{', '.join(first[:-1])} or {first[-1]}"


def cache() -> Path:
    """The user's cache folder of this package: ``$XDG_CACHE_HOME/simulacra``, else ``~/.cache/simulacra``.

    A user without a home (a container's ``--user``) gets a private folder among the temporary files. Raises
    `ConfigError` where somebody else owns that.
    """
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "simulacra"
    with contextlib.suppress(RuntimeError):  # no home
        return Path.home() / ".cache" / "simulacra"
    folder = Path(tempfile.gettempdir()) / f"simulacra-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder} belongs to another user. Choose a cache folder: export XDG_CACHE_HOME=FOLDER")
    return folder


def data_folders(root: Path | None = None) -> list[Path]:
    """The folders in which data sets with a name are looked up, in order: ``root``, ``$SIMULACRA_DATA``, the cache."""
    places = [root] if root is not None else []
    if os.environ.get(ROOT_VARIABLE):
        places.append(Path(os.environ[ROOT_VARIABLE]))
    return [*places, cache() / "data"]


def free_memory() -> int | None:
    """Bytes that this process may still allocate, by the system and by the container's limit; None if unknown."""
    found = [_available(), _unused_of_container()]
    return min((value for value in found if value is not None), default=None)


def refuse_more_than_memory(needed: float, what: str, remedy: str) -> None:
    """Refuse work before it allocates more bytes than are free: call it with an estimate of ``needed``.

    ``what`` is the subject of the sentence ("1,000,000,000 images of 28 x 28"), ``remedy`` what to type instead.
    Raises `ConfigError`.
    """
    free = free_memory()
    if free is not None and needed > free:
        raise ConfigError(
            f"{what} would take about {gigabytes(needed)} of memory; {gigabytes(free)} are free. {remedy}"
        )


def gigabytes(count: float) -> str:
    """Bytes as a person reads them: ``1.5 GB``."""
    return f"{count / 1e9:,.1f} GB" if count < 1e12 else f"{count / 1e12:,.0f} TB"


def _available() -> int | None:
    """Bytes that Linux counts as available; on other systems all physical memory, where that is known."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _unused_of_container() -> int | None:
    """Bytes below the limit of a control group, where there is one."""
    group = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):
            return int((group / limit).read_text()) - int((group / used).read_text())
    return None


def check_tools(values: Train, device: torch.device) -> None:
    """Refuse options whose tools are not installed before anything is written."""
    if values.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ConfigError("train.tensorboard needs the extra: pip install 'simulacra[tensorboard]'")
    compilers = ("c++", "g++", "clang++", "cl")
    if values.compile and device.type == "cpu" and not any(map(shutil.which, compilers)):
        raise ConfigError("train.compile needs a C++ compiler on the CPU; install g++, or leave it off.")


def precision(values: Train, device: torch.device) -> str:
    """The precision that is asked for; "auto" is bfloat16 where the hardware multiplies it, else float32."""
    if values.precision != "auto":
        return values.precision
    return "bfloat16" if multiplies_bfloat16(device) else "float32"


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has matrix units for bfloat16: there it is several times faster, elsewhere slower."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and "amx_bf16" in _cpu_flags()


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Let a GPU multiply float32 as float32: its convolutions round to 10 bits (TF32) unless told otherwise."""
    import torch

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
    os.environ.setdefault(*SILENT)
    try:
        return import_module(module)
    except ImportError:
        raise ConfigError(f"{user} needs the extra: pip install 'simulacra[{name}]'") from None
