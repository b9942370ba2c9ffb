"""Files packed with gzip, from anywhere: a small one may claim to hold more than the memory does."""

from __future__ import annotations

import zlib

from hazecast.grids.errors import InputError

GZIP = b"\x1f\x8b"
# Years of all stations of a country as text; a file of this size is taken as a mistake or an attack.
LARGEST = 512 * 2**20


def unpacked(data: bytes, name: str, largest: int = LARGEST) -> bytes:
    """Return what a file holds: itself, or what was packed in it.

    Parameters
    ----------
    data : bytes
    name : str
        Of the file, for errors.
    largest : int
        Bytes that may come out of it; no more than these are unpacked.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        If it is a damaged gzip file, or one that holds more.
    """
    if not data.startswith(GZIP):
        return data
    parts: list[bytes] = []
    size = 0
    try:
        while data:
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            parts.append(unpacker.decompress(data, largest - size + 1))
            size += len(parts[-1])
            if size > largest:
                raise InputError(name, f"more than {largest} bytes unpacked", f"at most {largest}")
            if not unpacker.eof:
                raise InputError(name, "a gzip file that ends early", "a whole one")
            # Members may follow each other; what follows the last may be padding.
            data = unpacker.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise InputError(name, error, "a sound gzip file") from error
    return b"".join(parts)
