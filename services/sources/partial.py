"""A download in progress: the bytes of a file received so far, and how to resume it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from hazecast.services.core.errors import StoreError

# First and last byte, both included; None for the end of the file.
ByteRange = tuple[int, int | None]
_HEAD_BYTES = 200


class Part:
    """The bytes received so far, and the validator that identifies the file on the server.

    Parameters
    ----------
    path : Path
        Where the complete file belongs; the part is stored beside it.
    ranges : list of (int, int or None)
        The byte ranges that are wanted, joined in this order; only the last may be open.
    entire : bool
        Whether they are the entire file.
    """

    def __init__(self, path: Path, ranges: list[ByteRange], *, entire: bool) -> None:
        self.path, self.ranges, self.entire = path, ranges, entire
        self.file = path.with_name(path.name + ".part")
        self._note = path.with_name(path.name + ".part.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.validator: str | None = None
        self._last: int | None = None
        self._load()

    @property
    def size(self) -> int:
        """Bytes received."""
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def head(self) -> bytes:
        """The first bytes received."""
        if not self.file.exists():
            return b""
        with self.file.open("rb") as file:
            return file.read(_HEAD_BYTES)

    def _load(self) -> None:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            note = {}
        same = note.get("ranges") == [list(r) for r in self.ranges] and bool(note.get("validator"))
        if not same:
            self.discard()
            return
        self.validator, self._last = note["validator"], note.get("last")

    def next(self) -> ByteRange | None:
        """Return the bytes still missing from the first incomplete range; None if all are complete."""
        have = self.size
        for start, end in self.ranges:
            end = self._last if end is None else end
            if end is None:
                return start + have, None
            length = end - start + 1
            if have < length:
                return start + have, end
            have -= length
        return None

    def begin(self, response: httpx.Response) -> None:
        """Record the validator and, for an open range, the last byte of the file."""
        etag = response.headers.get("etag", "")
        # A weak ETag may not be sent with If-Range (RFC 9110, section 13.1.5).
        self.validator = etag if etag.startswith('"') else response.headers.get("last-modified")
        if response.status_code == 206:
            total = response.headers["content-range"].rpartition("/")[2]
            self._last = int(total) - 1 if total.isdigit() else None
        elif "content-length" in response.headers and "content-encoding" not in response.headers:
            self._last = int(response.headers["content-length"]) - 1
        note = {"ranges": self.ranges, "validator": self.validator, "last": self._last}
        with self._on_disk():
            self._note.write_text(json.dumps(note), encoding="utf-8")

    def append(self, chunks: Iterator[bytes]) -> int:
        """Append chunks to the part and return their number of bytes; those written remain if the connection breaks.

        Raises
        ------
        StoreError
            If the part can't be written, as on a full disk.
        """
        before = self.size
        with self._on_disk(), self.file.open("ab") as file:
            for chunk in chunks:
                file.write(chunk)
        of_last = self.size - sum(e - s + 1 for s, e in self.ranges[:-1] if e is not None)
        if self._last is None and of_last > 0:
            # No length was announced: the end of the answer is the end of the file.
            self._last = self.ranges[-1][0] + of_last - 1
        return self.size - before

    def discard(self) -> None:
        """Delete the part, so that the download starts from the beginning."""
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.validator = self._last = None

    def finish(self) -> Path:
        """Sync the complete file to disk, and rename it to its path."""
        with self._on_disk():
            with self.file.open("rb") as file:
                os.fsync(file.fileno())
            self.file.replace(self.path)
            self._note.unlink(missing_ok=True)
        return self.path

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # What has come stays, and is gone on with when there is room again.
            raise StoreError(f"{self.path}: can't be written: {error}") from error


def range_headers(wanted: ByteRange) -> dict[str, str]:
    """Return the headers that request a range of the file's bytes, without compression."""
    start, end = wanted
    return {"Range": f"bytes={start}-{'' if end is None else end}", "Accept-Encoding": "identity"}
