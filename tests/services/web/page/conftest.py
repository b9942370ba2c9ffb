"""What the tests of the page share: one cycle over the simulated sample."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hazecast.services.core.settings import Settings
from hazecast.services.work.cycle import run_cycle


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
