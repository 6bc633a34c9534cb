"""Damage done to bytes, at random but the same every time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Mutation = Callable[[bytes, Random], bytes]


def truncated(content: bytes, random: Random) -> bytes:
    """Without its end."""
    return content[: random.randrange(len(content))]


def flipped(content: bytes, random: Random) -> bytes:
    """A few bits turned."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 3, 30))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def header_flipped(content: bytes, random: Random) -> bytes:
    """A few bytes of the first 64 replaced."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 2, 4))):
        changed[random.randrange(min(64, len(changed)))] = random.randrange(256)
    return bytes(changed)


def zeroed(content: bytes, random: Random) -> bytes:
    """A range of zeros."""
    start = random.randrange(len(content))
    length = random.randrange(1, max(2, len(content) // 4))
    return content[:start] + bytes(min(length, len(content) - start)) + content[start + length :]


def extreme(content: bytes, random: Random) -> bytes:
    """A number of four or eight bytes replaced by an extreme one."""
    number = random.choice(
        (b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0" * 4, b"\xff" * 8, b"\0\0\0\x80")
    )
    start = random.randrange(max(1, len(content) - len(number)))
    return content[:start] + number + content[start + len(number) :]


def removed(content: bytes, random: Random) -> bytes:
    """Without a part of its middle."""
    start = random.randrange(len(content))
    return content[:start] + content[start + random.randrange(1, 50) :]


def inserted(content: bytes, random: Random) -> bytes:
    """Random bytes put in."""
    start = random.randrange(len(content))
    return content[:start] + random.randbytes(random.choice((1, 7, 300))) + content[start:]


def doubled(content: bytes, random: Random) -> bytes:
    """A part of it twice."""
    start = random.randrange(len(content))
    part = content[start : start + random.randrange(1, 200)]
    return content[:start] + part + part + content[start + len(part) :]


def followed(content: bytes, random: Random) -> bytes:
    """Random bytes after its end."""
    return content + random.randbytes(random.choice((1, 100, 5000)))


def random_bytes(content: bytes, random: Random) -> bytes:
    """The first bytes, then noise."""
    kept = content[: random.choice((0, 4, 16))]
    return kept + random.randbytes(len(content) - len(kept))


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        truncated, flipped, header_flipped, zeroed, extreme, removed, inserted, doubled, followed, random_bytes
    )
}  # fmt: skip


def mutated(content: bytes, random: Random) -> bytes:
    """One or two kinds of damage."""
    for name in random.sample(sorted(MUTATIONS), random.choice((1, 1, 2))):
        content = MUTATIONS[name](content, random) if content else content
    return content
