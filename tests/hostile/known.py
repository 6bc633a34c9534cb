"""Cases that are known to fail, each with the reason: to be empty."""

from __future__ import annotations

KNOWN: dict[str, str] = {}
