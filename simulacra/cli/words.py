"""What the words of a command line may be: paths, numbers, operations, each refused by argparse's own error."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

LARGEST = 2**63 - 1
ZOO = "zoo:"  # stands before the name of a model in the package


def changes(text: str) -> str:
    """A random pipeline of image operations that keep the shape of images, once it is known to be one."""
    from simulacra.operations import refuse_reshaping, steps

    if not steps(text):
        raise argparse.ArgumentTypeError("must name operations, such as affine or 'flip, rotate degrees=-15..15'")
    refuse_reshaping(text)
    return text


def path(text: str) -> Path:
    """A path that the system can at least look at, and that is not the name of a model in the package."""
    if text.startswith(ZOO):
        raise argparse.ArgumentTypeError(
            f"cannot be '{text}': names that begin with {ZOO} are for the models in the package. Name a path"
        )
    return _looked_at(text)


def _looked_at(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("is empty. Type . for the working folder")
    try:
        os.stat(text)  # noqa: PTH116 - a Path of "" would be the working folder
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise argparse.ArgumentTypeError(f"cannot be '{text}': {reason}") from None
    return Path(text)


def source(text: str) -> str:
    """A name or a path that the system can at least look at, as it was written."""
    _looked_at(text)
    return text


def storable(text: str) -> str:
    """A `source` whose name the config of a run can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(
            f"cannot be '{text}': the config of a run holds this name, and it is not valid UTF-8. Rename it"
        ) from None
    return source(text)


def count(text: str) -> int:
    """A whole number from 1."""
    return _at_least(1, natural(text))


def _at_least(least: int, value: int) -> int:
    if value < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}, not {value}")
    return value


def natural(text: str) -> int:
    """A whole number from 0."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not '{text}'") from None
    if not 0 <= value <= LARGEST:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2^63 - 1, not {value}")
    return value


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not '{text}'") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a finite number, not {text}")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"must be a positive number, not {text}")
    return value


def share(text: str) -> float:
    """A number between 0 and 1, neither of them."""
    value = number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, such as 0.01, not at {text}")
    return value


def prior(text: str) -> str:
    """A choice of the prior, or the file of one."""
    if text not in ("model", "fitted") and not text.endswith(".safetensors"):
        raise argparse.ArgumentTypeError(f"must be model, fitted or a .safetensors file, not '{text}'")
    return source(text)
