"""Products of a stored run: files in a folder beside its NetCDF file, each with its SHA-256 digest in its name.

A product whose content no longer has that digest is not there: whoever wants it makes it again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from functools import lru_cache
from pathlib import Path

from hazecast.services.core.files import atomic_write, remove_file

log = logging.getLogger(__name__)


def products_folder(forecast_file: Path) -> Path:
    """Return the folder of the products that belong to a run's NetCDF file."""
    return forecast_file.with_suffix(".products")


def save_product(forecast_file: Path, name: str, content: bytes) -> None:
    """Store a product in place of an earlier one of its name; none beside a run whose file is gone.

    Parameters
    ----------
    forecast_file : Path
        NetCDF file of the run.
    name : str
        With an ending, such as ``haze.png``.
    content : bytes

    Raises
    ------
    StoreError
        If it can't be written.
    """
    if not forecast_file.is_file():
        return
    path = _path(forecast_file, name, hashlib.sha256(content).hexdigest())
    with atomic_write(path) as part:
        part.write_bytes(content)
    _remove_others(forecast_file, name, path)


def link_product(forecast_file: Path, name: str, source: Path | None = None) -> bytes:
    """Make a file of the run a product, without a second copy where the file system allows; return its content.

    Parameters
    ----------
    forecast_file : Path
        NetCDF file of the run.
    name : str
    source : Path, optional
        By default the NetCDF file itself.

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        If the run's file can't be read.
    StoreError
        If the product can't be written.
    """
    source = source or forecast_file
    content = source.read_bytes()
    path = _path(forecast_file, name, hashlib.sha256(content).hexdigest())
    try:
        path.parent.mkdir(exist_ok=True)
        # One of this name may be damaged, or a link to what the file was before.
        path.unlink(missing_ok=True)
        os.link(source, path)
    except OSError:
        save_product(forecast_file, name, content)
    _remove_others(forecast_file, name, path)
    return content


def read_product(forecast_file: Path, name: str) -> bytes | None:
    """Return a product whose digest is right.

    Parameters
    ----------
    forecast_file : Path
        NetCDF file of the run.
    name : str

    Returns
    -------
    bytes or None
        None if it is not there, or damaged, which is logged.
    """
    for path in _stored(forecast_file, name):
        try:
            content = path.read_bytes()
        except OSError as error:
            log.error("%s can't be read: %s", path, error)
            continue
        if hashlib.sha256(content).hexdigest() == path.suffixes[-2][1:]:
            return content
        log.error("%s is damaged: its content has another digest than its name", path)
    return None


def large_product(forecast_file: Path, name: str, above: int) -> Path | None:
    """Return the file of a product that is better sent from disk than held in memory.

    Parameters
    ----------
    forecast_file : Path
        NetCDF file of the run.
    name : str
    above : int
        Bytes from which a product is large.

    Returns
    -------
    Path or None
        None if it is smaller, not there, or damaged.
    """
    for path in _stored(forecast_file, name):
        try:
            now = path.stat()
            if now.st_size > above and _has_its_digest(path, now.st_mtime_ns, now.st_size):
                return path
        except OSError as error:
            log.error("%s can't be read: %s", path, error)
    return None


def has_product(forecast_file: Path, name: str) -> bool:
    """Whether a product was stored, damaged or not.

    Parameters
    ----------
    forecast_file : Path
        NetCDF file of the run.
    name : str

    Returns
    -------
    bool
    """
    return bool(_stored(forecast_file, name))


def damaged_products(forecast_file: Path) -> list[str]:
    """Return the names of the products whose content has another digest than their names, or can't be read.

    A file that has not been changed since is not read again.
    """
    found = []
    for path in sorted(products_folder(forecast_file).glob(f"*.{'[0-9a-f]' * 64}.*")):
        try:
            now = path.stat()
            whole = _has_its_digest(path, now.st_mtime_ns, now.st_size)
        except FileNotFoundError:
            continue  # another one has taken its place meanwhile
        except OSError:
            whole = False
        if not whole:
            stem, _, ending = path.name.split(".")
            found.append(f"{stem}.{ending}")
    return found


@lru_cache(maxsize=4096)
def _has_its_digest(path: Path, changed: int, size: int) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == path.suffixes[-2][1:]


def drop_products(newest: Path, prefixes: tuple[str, ...]) -> None:
    """Remove the products of earlier runs that only the newest needs.

    Parameters
    ----------
    newest : Path
        NetCDF file of the newest run; all products beside other runs' files in its folder are considered.
    prefixes : tuple of str
        How their names begin.
    """
    for path in newest.parent.glob("*.products/*"):
        if path.parent != products_folder(newest) and path.name.startswith(prefixes):
            path.unlink(missing_ok=True)


def remove_run_file(path: Path) -> bool:
    """Remove a file of a run with the products beside it, if it has any; return whether the file was there."""
    removed = remove_file(path)
    # After the file: nothing is stored beside a run whose file is gone.
    shutil.rmtree(products_folder(path), ignore_errors=True)
    return removed


def _path(forecast_file: Path, name: str, digest: str) -> Path:
    stem, _, ending = name.rpartition(".")
    return products_folder(forecast_file) / f"{stem}.{digest}.{ending}"


def _stored(forecast_file: Path, name: str) -> list[Path]:
    stem, _, ending = name.rpartition(".")
    return sorted(products_folder(forecast_file).glob(f"{stem}.{'[0-9a-f]' * 64}.{ending}"))


def _remove_others(forecast_file: Path, name: str, path: Path) -> None:
    for other in _stored(forecast_file, name):
        if other != path:
            other.unlink(missing_ok=True)
