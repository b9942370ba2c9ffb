"""What is too old goes, what a bureau must keep stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from hazecast.services.cli.app import app
from hazecast.services.store.retention import prune
from hazecast.services.store.tables.forecasts import CycleRun, ForecastRun, ForecastValue, Observation
from tests.support.forecasts import forecast_of, observations_of
from tests.support.settings import changed

NOW = datetime(2013, 3, 1, tzinfo=UTC)
DAY = np.timedelta64(1, "D")


@pytest.fixture
def kept(databases, tmp_path):
    """A store with runs 10, 20 and 30 days before the newest, and settings that keep 15."""
    store = databases.store(tmp_path)
    for back in (30, 20, 10, 0):
        init = np.datetime64("2013-02-28T22", "ns") - back * DAY
        forecast = forecast_of(100.0, init=init).assign(
            relative_humidity=(("lead_time", "city"), np.full((120, 1), 50.0))
        )
        cycle = store.begin_cycle(NOW - timedelta(days=back), False)
        paths = [tmp_path / f"{back}.{kind}" for kind in ("nc", "png")]
        for path in paths:
            path.write_text("x")
        observations = observations_of(np.full(30, 50.0), init - 60 * DAY)
        store.save_run(forecast, observations, [], netcdf_path=paths[0], map_path=paths[1], cycle_id=cycle)
        store.finish_cycle(cycle, "done", report={})
    with store.sessions.begin() as session:
        for row in session.scalars(select(CycleRun)):
            row.started_at = row.init_time
    yield store, databases.settings(tmp_path, keep_forecast_days=15, keep_observation_days=75)
    store.close()


def counts(store) -> list[int]:
    with store.sessions() as session:
        tables = (ForecastRun, ForecastValue, CycleRun, Observation)
        return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def test_old_forecasts_and_observations_go_with_their_files(kept, tmp_path) -> None:
    store, settings = kept
    assert counts(store) == [4, 480, 4, 120]
    would = prune(settings, NOW, dry_run=True)
    assert counts(store) == [4, 480, 4, 120] and would.files == 4
    done = prune(settings, NOW)
    assert done == would and done.rows["forecast_value"] == 240 and done.files == 4
    assert counts(store) == [2, 240, 2, 60]
    assert {p.name for p in tmp_path.iterdir() if p.suffix in (".nc", ".png")} == {"0.nc", "0.png", "10.nc", "10.png"}
    assert prune(settings, NOW).total == 0


def test_the_newest_forecast_stays_and_nothing_goes_unasked(kept, tmp_path) -> None:
    store, settings = kept
    assert prune(changed(settings, keep_forecast_days=None, keep_observation_days=None), NOW).rows == {}
    prune(settings, NOW + timedelta(days=400))
    assert counts(store)[:3] == [1, 120, 1] and Path(store.latest_run().netcdf_path).exists()


def test_the_command(kept) -> None:
    store, settings = kept
    env = {"HAZECAST_DATABASE_URL": settings.database_url, "HAZECAST_KEEP_FORECAST_DAYS": "15"}
    done = CliRunner(env=env).invoke(app, ["prune", "--dry-run", "--data-dir", str(settings.data_dir)])
    assert done.exit_code == 0 and "would remove: 360 of forecast_value, 3 of forecast_run" in done.output
    assert counts(store)[0] == 4
