"""Which files hold weather: recognised by their first bytes, not by their names."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from hazecast.grids.errors import InputError


class Format(Enum):
    """Formats of weather files."""

    GRIB = "GRIB"
    NETCDF = "NetCDF"
    ZARR = "Zarr"
    ZIP = "ZIP"


# GRIB: its mark, behind at most a short heading of a telecommunication system. NetCDF 3: CDF and its version; NetCDF 4
# is HDF5. ZIP: the head of a first entry.
_MARKS = {b"CDF\x01": Format.NETCDF, b"CDF\x02": Format.NETCDF, b"CDF\x05": Format.NETCDF}
_MARKS |= {b"\x89HDF": Format.NETCDF, b"PK\x03\x04": Format.ZIP}
_HEADING = 256
# What a download under way is called; `hazecast` and others rename it when it is whole.
UNDER_WAY = (".part", ".tmp", ".crdownload")
# An archive of the Climate Data Store holds a file for each kind of step.
_MOST_ENTRIES = 1_000
_MOST_BYTES = 64 * 2**30


def format_of(path: Path) -> Format | None:
    """Return the format of a file or of a Zarr folder; None if it is none that holds weather.

    Raises
    ------
    InputError
        If it can't be read.
    """
    if path.is_dir():
        zarr = any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata"))
        return Format.ZARR if zarr else None
    try:
        with path.open("rb") as file:
            head = file.read(_HEADING)
    except OSError as error:
        raise InputError(str(path), error.strerror or error, "a file that can be read") from error
    if b"GRIB" in head and not head.startswith(tuple(_MARKS)):
        return Format.GRIB
    return _MARKS.get(head[:4])


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
        found = "an empty file" if path.stat().st_size == 0 else "neither GRIB, NetCDF nor ZIP by its first bytes"
        raise InputError(str(path), found, "a whole GRIB or NetCDF file, or a ZIP archive of them")
    inside = sorted(p for p in path.iterdir() if not p.name.startswith(".") and p.suffix not in UNDER_WAY)
    result = {file: format_ for file in inside if (format_ := format_of(file)) is not None}
    if not result:
        raise InputError(str(path), f"no weather among {len(inside)} files", "GRIB, NetCDF, Zarr or ZIP files")
    return result


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Unpack a ZIP archive for the time of the context, and give the folder of its files.

    Raises
    ------
    InputError
        If it is damaged, encrypted or too large, or holds no file.
    """
    with tempfile.TemporaryDirectory(prefix="hazecast-zip-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
                size = sum(entry.file_size for entry in entries)
                if not entries or len(entries) > _MOST_ENTRIES or size > _MOST_BYTES:
                    expected = f"1 to {_MOST_ENTRIES} files of at most {_MOST_BYTES >> 30} GiB"
                    raise InputError(f"{path}: ZIP archive", f"{len(entries)} files of {size} bytes", expected)
                for number, entry in enumerate(entries):
                    # A name of our own before theirs: entries of one name in several folders don't collide.
                    target = Path(folder) / f"{number:03d}-{Path(entry.filename).name}"
                    with archive.open(entry) as packed, target.open("wb") as file:
                        while chunk := packed.read(2**20):
                            file.write(chunk)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
            raise InputError(f"{path}: ZIP archive", error, "a whole archive without a password") from error
        except Exception as error:  # zlib.error and what a damaged header brings
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: ZIP archive", error, "a whole archive") from error
        yield Path(folder)
