"""The fields of a GRIB file as single messages: found by their first bytes, cut by their own length.

Between messages anything may stand. A message of edition 2 may hold several fields (WMO Manual on Codes, FM 92 GRIB,
edition 2, regulation 92.1.7: sections 2 to 7, 3 to 7 or 4 to 7 may be repeated); each becomes a message of its own, so
that eccodes needs no state between calls. A damaged message costs only itself.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MARK, _END = b"GRIB", b"7777"
# Section 6, octet 6: the bitmap of an earlier field of the same message applies.
_BITMAP_BEFORE = 254
_BITMAP_HERE = 0
_LIKE_TEMPLATE_0 = 15
# How a message is described that lacks its end, as in a file that is still being delivered.
CUT_OFF = "is cut off at the end of the file"
# The longest length that 3 octets hold; ECMWF writes longer messages of edition 1 in units of 120 octets, with this bit.
_LONG_EDITION_1 = 0x800000
# Edition 1: the least lengths of sections 1 to 4, octets, and the bits of section 1's octet 8 that say that 2 and 3 are there.
_LEAST_EDITION_1, _PRESENT_EDITION_1 = {1: 28, 2: 32, 3: 6, 4: 11}, {2: 128, 3: 64}


class Field(NamedTuple):
    """One field of a file: the bytes of its message, the message's number from 1, and which of its fields it is."""

    message: int
    part: int
    data: bytes


class Damaged(NamedTuple):
    """A message that isn't whole: its first byte in the file, and what is wrong."""

    start: int
    found: str


def fields_of(path: Path) -> Iterator[Field | Damaged]:
    """Yield the fields of a file in its order, and in their place the messages that aren't whole."""
    if path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = number = 0
        while (at := content.find(_MARK, at)) >= 0:
            number += 1
            length = _length(content, at)
            data = content[at : at + length]
            if length < 12 or len(data) < length or data[-4:] != _END:
                whole = length < 12 or len(data) == length
                yield Damaged(at, f"message {number} of {length} bytes {'has no end there' if whole else CUT_OFF}")
                at += len(_MARK)
                continue
            at += length
            try:
                parts = _parts(data) if data[7] == 2 else [data]
                if data[7] == 1:
                    sections_of_edition_1(data)
            except (IndexError, ValueError) as error:
                yield Damaged(at - length, f"message {number}: {error}")
                continue
            yield from (Field(number, part, own) for part, own in enumerate(parts))


def product_of(data: bytes) -> tuple[int, int, int, int | None] | None:
    """Return discipline, category, number and type of first surface of a field of edition 2, by its bytes.

    Parameters
    ----------
    data : bytes
        As of `Field`.

    Returns
    -------
    tuple or None
        The surface is None where the template of section 4 may have it elsewhere; all is None for edition 1 or where
        section 4 isn't found.
    """
    if data[7] != 2:
        return None
    at = 16
    while at + 5 < len(data) - 4:
        size, number = int.from_bytes(data[at : at + 4]), data[at + 4]
        if number == 4 and size >= 34 and at + 22 < len(data):
            # Templates 4.0 to 4.15: category and number in octets 10 and 11, the surface's type in octet 23.
            template = int.from_bytes(data[at + 7 : at + 9])
            return data[6], data[at + 9], data[at + 10], data[at + 22] if template <= _LIKE_TEMPLATE_0 else None
        if size < 5:
            return None
        at += size
    return None


def _length(content: mmap.mmap, at: int) -> int:
    """Return the length of a message, bytes; 0 for another edition than 1 and 2, or a head that is cut off."""
    head = content[at : at + 16]
    if len(head) < 16 or head[7] not in (1, 2):
        return 0
    if head[7] == 2:
        return int.from_bytes(head[8:16])
    length = int.from_bytes(head[4:7])
    if not length & _LONG_EDITION_1:
        return length
    # Section 4 then gives the rest; sections 2 and 3 are there by bits of octet 8 of section 1.
    section = at + 8
    if section + 7 >= len(content):
        return 0
    flags = content[section + 7]
    for present in (True, flags & 128, flags & 64):
        if present:
            section += int.from_bytes(content[section : section + 3])
    rest = int.from_bytes(content[section : section + 3])
    units = (length & ~_LONG_EDITION_1) * 120
    return units - rest + 4 if rest < 120 else length


def sections_of_edition_1(data: bytes) -> dict[int, int]:
    """Return where the sections of a message of edition 1 begin, by their number.

    Raises
    ------
    ValueError
        If one reaches over the message's end: eccodes would read on, and crash.
    """
    starts: dict[int, int] = {}
    at = 8
    flags = data[at + 7]
    for number, least in _LEAST_EDITION_1.items():
        if number in _PRESENT_EDITION_1 and not flags & _PRESENT_EDITION_1[number]:
            continue
        starts[number] = at
        size = int.from_bytes(data[at : at + 3])
        if number == 4 and data[4] & 0x80:  # a long message: the length of this section is in the message's own
            break
        if size < least or at + size > len(data) - 4:
            raise ValueError(f"section {number} of {size} bytes")
        at += size
    return starts


def _parts(data: bytes) -> list[bytes]:
    """Return the fields of a message of edition 2, each as a message."""
    sections: dict[int, bytes] = {}
    bitmap: bytes | None = None
    fields: list[dict[int, bytes]] = []
    at = 16
    while data[at : at + 4] != _END or at < len(data) - 4:
        size, number = int.from_bytes(data[at : at + 4]), data[at + 4]
        if size < 5 or not 1 <= number <= 7 or at + size > len(data) - 4:
            raise ValueError(f"section {number} of {size} bytes")
        own = data[at : at + size]
        if number == 6:
            if own[5] == _BITMAP_HERE:
                bitmap = own
            elif own[5] == _BITMAP_BEFORE:
                if bitmap is None:
                    raise ValueError("no bitmap before the field that refers to it")
                own = bitmap
        sections[number] = own
        if number == 7:
            fields.append(dict(sections))
        at += size
    if not fields:
        raise ValueError("no data section")
    if len(fields) == 1:
        return [data]
    return [_message(data[:8], field) for field in fields]


def _message(head: bytes, sections: dict[int, bytes]) -> bytes:
    body = b"".join(sections[number] for number in sorted(sections))
    return head + (16 + len(body) + 4).to_bytes(8) + body + _END
