"""Ways to damage a file."""

from __future__ import annotations

import random
import re

_HUGE = [
    b"9" * 40,
    b"1e308",
    b"-1e308",
    b"1e999",
    b"nan",
    b"inf",
    b"-0",
    b"2147483648",
    b"0x10",
    b"",
    b"\xff\xfe",
    b'"',
]
_WORDS = [b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00" * 4, b"\xff" * 8, b"\x7f" + b"\xff" * 7]


def mutate(data: bytes, pick: random.Random, *, text: bool) -> bytes:
    """Return `data` damaged in one to three ways."""
    ways = [bit_flips, truncation, splice, swapped_blocks, huge_words, repeated, *([fields] * 4 if text else [])]
    if pick.random() < 0.01:
        return b""
    for _ in range(pick.choice([1, 1, 2, 3])):
        data = pick.choice(ways)(data, pick)
        if not data:
            return data
    return data


def bit_flips(data: bytes, pick: random.Random) -> bytes:
    """Flip some bits, anywhere or in the header."""
    damaged = bytearray(data)
    reach = len(damaged) if pick.random() < 0.5 else min(len(damaged), 400)
    for _ in range(pick.choice([1, 2, 8, 64])):
        damaged[pick.randrange(reach)] ^= 1 << pick.randrange(8)
    return bytes(damaged)


def truncation(data: bytes, pick: random.Random) -> bytes:
    """Cut the end off."""
    return data[: pick.randrange(len(data))]


def splice(data: bytes, pick: random.Random) -> bytes:
    """Put a block over another place, take one out, or put noise in."""
    start, size, to = pick.randrange(len(data)), pick.choice([1, 4, 64, 1024]), pick.randrange(len(data))
    block = data[start : start + size]
    kind = pick.randrange(3)
    if kind == 0:
        return data[:to] + block + data[to + len(block) :]
    if kind == 1:
        return data[:start] + data[start + size :]
    return data[:to] + pick.randbytes(size) + data[to:]


def swapped_blocks(data: bytes, pick: random.Random) -> bytes:
    """Exchange two neighbouring parts."""
    first, second, third = sorted(pick.randrange(len(data) + 1) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def huge_words(data: bytes, pick: random.Random) -> bytes:
    """Write lengths and numbers that can't be over some bytes."""
    word, at = pick.choice(_WORDS), pick.randrange(len(data))
    return data[:at] + word + data[at + len(word) :]


def repeated(data: bytes, pick: random.Random) -> bytes:
    """Append the file, or a part of it, to itself."""
    return data + data[: pick.choice([len(data), pick.randrange(len(data))])]


def fields(data: bytes, pick: random.Random) -> bytes:
    """Exchange two fields of a text, or put something huge or foreign in one."""
    found = list(re.finditer(rb"[^,:\n{}\[\]]+", data))
    if len(found) < 2:
        return data
    one, other = sorted(pick.sample(found, 2), key=lambda match: match.start())
    if pick.random() < 0.5:
        return (
            data[: one.start()] + other[0] + data[one.end() : other.start()] + one[0] + data[other.end() :]
        )  # exchanged
    return data[: one.start()] + pick.choice(_HUGE) + data[one.end() :]
