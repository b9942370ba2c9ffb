"""The URL of a database, with the driver that Hazecast uses. Nothing heavy is imported: settings need it."""

from __future__ import annotations

_DRIVERS = {"sqlite": "sqlite", "postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


def with_driver(text: str) -> str:
    """Return a URL of SQLite or PostgreSQL with its driver: ``postgres://`` is ``postgresql+psycopg://``.

    Raises
    ------
    ValueError
        If it is a URL of neither; what it holds beside the scheme, perhaps a password, isn't repeated.
    """
    scheme, found, rest = text.partition("://")
    backend = scheme.partition("+")[0]
    if not found or backend not in _DRIVERS:
        kind = f"a URL of {backend}" if found else "no URL"
        raise ValueError(f"{kind}; expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    return f"{_DRIVERS[backend]}://{rest}"
