"""Which files hold weather: recognised by their first bytes, not by their names; archives and packed files are unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import IO, Any

from hazecast.grids.errors import InputError


class Format(Enum):
    """Formats of weather files."""

    GRIB = "GRIB"
    NETCDF = "NetCDF"
    ZARR = "Zarr"
    ZIP = "ZIP"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    TAR = "tar"


# GRIB: its mark, behind at most a short heading of a telecommunication system. NetCDF 3: CDF and its version; NetCDF 4
# is HDF5. ZIP: the head of a first entry. gzip: RFC 1952; bzip2, xz: their marks. tar: POSIX.1-1988, at octet 257.
_MARKS = {b"CDF\x01": Format.NETCDF, b"CDF\x02": Format.NETCDF, b"CDF\x05": Format.NETCDF}
_MARKS |= {b"\x89HDF": Format.NETCDF, b"PK\x03\x04": Format.ZIP}
_MARKS |= {b"\x1f\x8b": Format.GZIP, b"BZh": Format.BZIP2, b"\xfd7zXZ": Format.XZ}
_TAR_MARK, _TAR_AT = b"ustar", 257
PACKED = frozenset({Format.ZIP, Format.GZIP, Format.BZIP2, Format.XZ, Format.TAR})
_ARCHIVES = frozenset({Format.ZIP, Format.TAR})
_OPENED: dict[Format, Callable[[Path, str], Any]] = {
    Format.GZIP: gzip.open,
    Format.BZIP2: bz2.open,
    Format.XZ: lzma.open,
}
_HEADING = 256
# What a download under way is called; `hazecast` and others rename it when it is whole.
UNDER_WAY = (".part", ".tmp", ".crdownload")
# An archive of the Climate Data Store holds a file for each kind of step.
_MOST_ENTRIES = 1_000
_MOST_BYTES = 64 * 2**30
# A packed file in an archive is usual, more than that is an attack.
_DEEPEST = 3
_CHUNK = 2**20
# A Zarr store in an archive: the folder of one of these, and a file for each chunk.
_ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")
_MOST_CHUNKS = 100_000


class NothingError(InputError):
    """Sound files that hold no weather which can be used; `lost` are the variables that they seem to hold."""

    lost: frozenset[str] = frozenset()


def format_of(path: Path) -> Format | None:
    """Return the format of a file or of a Zarr folder; None if it is none that holds weather.

    Raises
    ------
    InputError
        If it can't be read.
    """
    if path.is_dir():
        zarr = any((path / name).exists() for name in _ZARR_MARKS)
        return Format.ZARR if zarr else None
    try:
        with path.open("rb") as file:
            head = file.read(_TAR_AT + len(_TAR_MARK))
    except OSError as error:
        raise InputError(str(path), error.strerror or error, "a file that can be read") from error
    own = next((format_ for mark, format_ in _MARKS.items() if head.startswith(mark)), None)
    if own is None and head[_TAR_AT:] == _TAR_MARK:
        return Format.TAR
    return Format.GRIB if own is None and b"GRIB" in head[:_HEADING] else own


def weather_files(path: Path) -> dict[Path, Format]:
    """Return the weather files that a path names: the file itself, or those of a folder, by name.

    Hidden files and downloads under way are passed over, as are files that hold no weather.

    Raises
    ------
    InputError
        If there is none, or the file is none.
    """
    if not path.exists():
        raise InputError("weather", path, "a file or folder that exists")
    own = format_of(path)
    if own is not None:
        return {path: own}
    if not path.is_dir():
        found = (
            "an empty file" if path.stat().st_size == 0 else "neither GRIB, NetCDF nor an archive by its first bytes"
        )
        raise InputError(str(path), found, "a whole GRIB or NetCDF file, or an archive of them")
    inside = sorted(p for p in path.iterdir() if not p.name.startswith(".") and p.suffix not in UNDER_WAY)
    result = {file: format_ for file in inside if (format_ := format_of(file)) is not None}
    if not result:
        raise NothingError(
            str(path), f"no weather among {len(inside)} files", "GRIB, NetCDF or Zarr files, or archives of them"
        )
    return result


class Unpacked:
    """The plain files that paths name, what is packed unpacked for the time of the context.

    Attributes
    ----------
    files : dict of Path to Format
        GRIB and NetCDF files and Zarr stores, in the order of the paths.
    empty : list of NothingError
        Archives among them that hold no weather.
    """

    def __init__(self) -> None:
        self.files: dict[Path, Format] = {}
        self.empty: list[NothingError] = []
        self._stack = ExitStack()
        self._shown: dict[str, str] = {}

    @classmethod
    @contextmanager
    def of(cls, paths: list[Path]) -> Iterator[Unpacked]:
        """Unpack all that paths name.

        Raises
        ------
        InputError
            If one doesn't exist or is damaged, or none holds weather; also what is raised in the context: under the name
            of the archive in place of that of the unpacked file.
        """
        result = cls()
        with result._stack:
            try:
                for path in paths:
                    result._take(path, 0)
                if not result.files and result.empty:
                    raise result.empty[0]
                yield result
            except InputError as error:
                where, found = result.named(error.where), result.named(str(error.found))
                if (where, found) == (error.where, str(error.found)):
                    raise
                raise InputError(where, found, error.expected) from error

    def named(self, text: str) -> str:
        """Return a text with the archives and their entries in place of the unpacked files."""
        for own, shown in self._shown.items():
            text = text.replace(own, shown)
        return text

    def _take(self, path: Path, depth: int) -> None:
        try:
            inside = weather_files(path)
        except NothingError as error:
            self.empty.append(error)
            return
        for file, format_ in inside.items():
            if format_ not in PACKED:
                self.files[file] = format_
                continue
            if depth == _DEEPEST:
                raise InputError(str(file), f"archives in archives, {depth} deep", "weather files in an archive")
            folder = self._stack.enter_context(unpacked(file))
            shown = self.named(str(file))
            for entry in folder.iterdir():
                own = entry.name[_NUMBERED:] if format_ in _ARCHIVES else Path(shown).stem
                self._shown[str(entry)] = f"{shown}/{own}"
            self._shown[str(folder)] = shown
            self._take(folder, depth + 1)


# Digits and a hyphen before the name of an entry.
_DIGITS = 6
_NUMBERED = _DIGITS + 1


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Unpack an archive, or a file packed with gzip, bzip2 or xz, for the time of the context, and give the folder of its files.

    Raises
    ------
    InputError
        If it is damaged, encrypted or too large, or holds no file.
    """
    format_ = format_of(path) or Format.ZIP
    opener = _OPENED.get(format_)
    what, expected = "packed file", "a whole file"
    if opener is None:
        what, expected = f"{format_.value} archive", "a whole archive without a password"
    with tempfile.TemporaryDirectory(prefix="hazecast-packed-") as folder:
        try:
            if format_ is Format.TAR:
                _untar(path, Path(folder))
            elif opener is None:
                _unzip(path, Path(folder))
            else:
                with opener(path, "rb") as packed:
                    _copy(packed, Path(folder) / f"{0:0{_DIGITS}d}-{path.stem}", _MOST_BYTES, path)
        except InputError:
            raise
        except Exception as error:  # on a damaged file the libraries raise nearly any exception
            raise InputError(f"{path}: {what}", error, expected) from error
        yield Path(folder)


def _unzip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        targets = _targets([entry.filename for entry in entries], path)
        _check_size(path, "ZIP", targets, sum(entry.file_size for entry in entries))
        for entry, target in zip(entries, targets, strict=True):
            with archive.open(entry) as packed:
                _copy(packed, _made(folder, target), entry.file_size, path)


def _untar(path: Path, folder: Path) -> None:
    with tarfile.open(path, "r:") as archive:
        entries = [entry for entry in archive if entry.isreg()]
        targets = _targets([entry.name for entry in entries], path)
        _check_size(path, "tar", targets, sum(entry.size for entry in entries))
        for entry, target in zip(entries, targets, strict=True):
            packed = archive.extractfile(entry)
            if packed is not None:
                with packed:
                    _copy(packed, _made(folder, target), entry.size, path)


def _check_size(path: Path, kind: str, targets: list[PurePosixPath], size: int) -> None:
    tops = {target.parts[0] for target in targets}
    if not tops or len(tops) > _MOST_ENTRIES or len(targets) > _MOST_CHUNKS or size > _MOST_BYTES:
        expected = f"1 to {_MOST_ENTRIES} files of at most {_MOST_BYTES >> 30} GiB"
        raise InputError(f"{path}: {kind} archive", f"{len(targets)} files of {size} bytes", expected)


def _targets(names: list[str], path: Path) -> list[PurePosixPath]:
    """Return where entries of an archive go: a Zarr store as it is, any other file by its name alone.

    A number of our own comes before theirs: entries of one name in several folders don't collide.
    """
    entries = [PurePosixPath(name) for name in names]
    marked = sorted({own.parent for own in entries if own.name in _ZARR_MARKS}, key=lambda folder: len(folder.parts))
    roots: dict[PurePosixPath, int | None] = {}
    for folder in marked:
        if not any(folder.is_relative_to(root) for root in roots):
            roots[folder] = None
    result = []
    for number, own in enumerate(entries):
        root = next((one for one in roots if own.is_relative_to(one)), None)
        if root is None:
            result.append(PurePosixPath(f"{number:0{_DIGITS}d}-{own.name}"))
            continue
        inside = own.relative_to(root)
        if ".." in inside.parts:
            raise InputError(f"{path}: {own}", "a way out of its folder", "names of files below it")
        roots[root] = first = number if roots[root] is None else roots[root]
        result.append(PurePosixPath(f"{first:0{_DIGITS}d}-{root.name or path.stem}") / inside)
    return result


def _made(folder: Path, target: PurePosixPath) -> Path:
    result = folder / target
    result.parent.mkdir(parents=True, exist_ok=True)
    return result


def _copy(packed: IO[bytes], target: Path, most: int, path: Path) -> None:
    size = 0
    with target.open("wb") as file:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise InputError(
                    f"{path}: {target.name[_NUMBERED:]}", f"more than {most} bytes unpacked", f"at most {most}"
                )
            file.write(chunk)
