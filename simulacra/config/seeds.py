"""Seeds of random parts, derived from the seed of the whole."""

from __future__ import annotations

import hashlib


def derived_seed(*parts: object) -> int:
    """Derive a 63-bit seed from its parts, e.g. ``(seed, "noise", step)``."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
