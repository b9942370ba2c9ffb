"""Tables as Parquet files, written by an optional package in a subprocess."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from hazecast.grids.extras import requires

EXTRA = "tables"
# Nothing is fetched, and a table of some pages needs no more.
_DUCKDB = {
    "threads": 1,
    "memory_limit": "512MB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def parquet_of(table: bytes, types: Mapping[str, str]) -> bytes:
    """Return a table as a Parquet file.

    Parameters
    ----------
    table : bytes
        CSV with a header, UTF-8; what is missing is empty.
    types : mapping of str to str
        SQL type of each column, in the order of the table.

    Returns
    -------
    bytes

    Raises
    ------
    MissingExtraError
        If the extra isn't installed.
    """
    duckdb = requires("duckdb", EXTRA)
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "table.csv", Path(folder) / "table.parquet"
        source.write_bytes(table)
        with duckdb.connect(config=_DUCKDB) as connection:
            read = connection.read_csv(str(source), header=True, columns=dict(types), na_values="")
            read.write_parquet(str(target), compression="zstd")
        return target.read_bytes()
