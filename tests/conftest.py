"""Fixtures shared by all tests."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

from tests.support.databases import KINDS, Databases, PostgresServer, postgres_server
from tests.support.paths import SHARED_DATA
from tests.support.source_server import SourceServer, serving

if TYPE_CHECKING:
    from hazecast.services.core.settings import Settings


class Closable(Protocol):
    """What holds connections until it is closed: a store, a source, a client."""

    def close(self) -> None:
        """Give the connections back."""


C = TypeVar("C", bound=Closable)

# Requests are counted with the store, which many tests use within a minute: tests of limits set their own.
for _limit in ("RATE_ANONYMOUS", "RATE_ACCOUNT", "FAILED_KEYS"):
    os.environ.setdefault(f"HAZECAST_{_limit}", "0")

MARK_OF_FIXTURE = {"shared_data": "data", "postgres": "postgres", "browser": "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they use; pyproject.toml describes the marks."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        for fixture, mark in MARK_OF_FIXTURE.items():
            if fixture in item.fixturenames:
                item.add_marker(mark)
        if hasattr(item, "callspec") and item.callspec.params.get("databases") == "postgresql":
            item.add_marker("postgres")


@pytest.fixture(autouse=True)
def level_of_logging() -> Iterator[None]:
    """Commands set the product's level of logging: no test is the next one's."""
    logger = logging.getLogger("hazecast")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; skipped where a user has none, an error in CI."""
    if SHARED_DATA.is_dir():
        return SHARED_DATA
    if os.environ.get("CI"):
        pytest.fail(f"the real data must be present in CI: {SHARED_DATA}")
    pytest.skip(f"no real data at {SHARED_DATA}")


@pytest.fixture
def source_server() -> Iterator[SourceServer]:
    """A local server that speaks a publisher's protocol and fails on demand."""
    with serving() as server:
        yield server


@pytest.fixture
def closed_after() -> Iterator[Callable[[C], C]]:
    """Close what a test makes when it ends: ``source = closed_after(Gfs(url))``."""
    with ExitStack() as stack:

        def register(made: C) -> C:
            stack.callback(made.close)
            return made

        yield register


@pytest.fixture(scope="session")
def simulated_run(tmp_path_factory) -> Settings:
    """Settings whose store holds one simulated run; only to be read."""
    from hazecast.services.core.settings import Settings
    from hazecast.services.work.cycle import run_cycle

    settings = Settings(data_dir=tmp_path_factory.mktemp("simulated"))
    run_cycle(settings)
    return settings


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the tests' own, one for the session; see `tests.support.databases`."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session", params=KINDS)
def databases(request: pytest.FixtureRequest) -> Databases:
    """SQLite and PostgreSQL: what asks for this runs on both."""
    return Databases(request.getfixturevalue("postgres") if request.param == "postgresql" else None)
