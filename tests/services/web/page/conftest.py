"""What the tests of the page and the console share: one cycle over the simulated sample, a browser, a bureau's desk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser

from hazecast.services.core.settings import Settings
from hazecast.services.work.cycle import run_cycle
from tests.support.browser import browsing, serving
from tests.support.console_world import Bureau, bureau


@pytest.fixture(scope="session")
def sample_init() -> datetime:
    """The init time of the sample's run."""
    return datetime(2026, 1, 15, 10, tzinfo=UTC)


@pytest.fixture(scope="session")
def sample_settings(tmp_path_factory, sample_init) -> Settings:
    """The settings of a service that has run once for all cities: not to be changed."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("sample"))
    run_cycle(settings, init_time=sample_init)
    return settings


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[Bureau]:
    """A bureau's service that is served, with its keys."""
    made = bureau(tmp_path_factory.mktemp("desk"))
    with serving(made.site):
        yield made
    made.world.close()
