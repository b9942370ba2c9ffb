"""A chemistry model's forecasts as stored, as known at a time, and as scored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hazecast.forecast.composition import with_composition
from hazecast.forecast.evaluation.verification import score_forecast, scoreboard
from hazecast.grids.contract import check
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality.flags import GOOD, MODELLED
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.jobs import all_jobs
from hazecast.services.scheduling.tasks import composition, janitor
from hazecast.services.store.composition_cycles import CompositionStore
from hazecast.services.store.store import Store
from tests.support.composition_publishers import CamsServer, run_of
from tests.support.forecasts import HOUR, INIT, forecast_of, observations_of
from tests.support.settings import make_settings

RUN = datetime(2013, 1, 31, 12, tzinfo=UTC)
CITIES = tuple(load_registry().cities.values())[:3]


@pytest.fixture
def store(tmp_path):
    return CompositionStore(tmp_path / "composition")


def test_an_issue_is_known_from_its_retrieval_on(store) -> None:
    ids = tuple(city.id for city in CITIES[:2])
    for hours, value in ((0, 10.0), (12, 20.0)):
        init = RUN + timedelta(hours=hours)
        store.save("open_meteo", run_of(init, value, init + timedelta(hours=11), ids))

    def known(hours: float):
        return store.known(RUN + timedelta(hours=hours), CITIES, ("open_meteo",))

    assert known(10.9) is None
    for hours, value in ((11, 10.0), (22.9, 10.0), (23, 20.0), (131, 20.0)):
        found = known(hours)
        assert float(found.dataset["pm25"].sel(city=ids[0]).max()) == value
        assert found.dataset["pm25"].sel(city=CITIES[2].id).isnull().all()
        check(found.dataset, "composition")
    assert found.source == "CAMS, forecast of 2013-02-01T00:00:00Z"
    assert known(132) is None  # it has come to its end


def test_an_issue_stays_as_it_was_first_stored(store) -> None:
    path = store.save("open_meteo", run_of(RUN, 10.0, RUN))
    before = path.read_bytes()
    assert store.save("open_meteo", run_of(RUN, 99.0, RUN + timedelta(hours=1))) == path
    assert path.read_bytes() == before


def test_of_equally_new_issues_the_preferred_one_is_taken_and_a_damaged_one_passed_over(store, caplog) -> None:
    for source, value in (("ads", 10.0), ("open_meteo", 20.0)):
        store.save(source, run_of(RUN, value, RUN))
    city = [load_registry().city("beijing")]
    for preference, value in ((("ads",), 10.0), (("open_meteo", "ads"), 20.0)):
        assert float(store.known(RUN, city, preference).dataset["pm25"].max()) == value
    (store.folder / "ads" / "20130131T1200Z.nc").write_bytes(b"\x89HDF damaged")
    assert float(store.known(RUN, city, ("ads",)).dataset["pm25"].max()) == 20.0
    assert "ingest again" in caplog.text


def test_the_chemistry_model_is_scored_over_its_own_pairs_and_not_by_its_own_analysis() -> None:
    series = np.concatenate([np.full(30 * 24, 50.0), np.full(120, 100.0)])
    observations = observations_of(series, INIT + 120 * HOUR)
    # 10 h old at the init time: no value for the last 10 lead times.
    forecast = with_composition(forecast_of(125.0), run_of(RUN, 90.0, RUN), "CAMS")
    board = scoreboard(score_forecast(forecast, observations), ["pollutant"]).iloc[0]
    assert board["n"] == 120 and board["cams_n"] == 110
    assert board["cams_bias"] == -10.0 and board["cams_rmse"] == 10.0 and board["cams_rmse_ratio"] == 3.0
    flags = np.full(len(series), float(GOOD))
    flags[-120:-60] = MODELLED
    flagged = observations.assign(pm25_flag=(("time", "city"), flags[:, None]))
    board = scoreboard(score_forecast(forecast, flagged), ["pollutant"]).iloc[0]
    assert board["n"] == board["persistence_n"] == 120 and board["cams_n"] == 50


def test_the_job_ingests_where_live_sources_are_set_and_the_janitor_removes(source_server, tmp_path) -> None:
    live = {"data_dir": tmp_path, "weather": "live", "open_meteo_air_url": source_server.url, "http_attempts": 1}
    given = make_settings(**live, composition_keep_days=7)
    assert "composition" in {job.name for job in all_jobs(given)}
    assert "composition" not in {job.name for job in all_jobs(make_settings(**live, composition_sources="none"))}
    assert "composition" not in {job.name for job in all_jobs(Settings(data_dir=tmp_path))}
    now = RUN + timedelta(hours=11)
    failed = composition(given, now, lambda: now)
    assert failed.status == "degraded" and "composition: open_meteo: " in failed.detail
    CamsServer(source_server, RUN)
    assert composition(given, now, lambda: now).status == "done"
    store = CompositionStore(given.composition_dir)
    assert [init for init, *_ in store.cycles(now)] == [RUN]
    late = composition(given, now, lambda: now + timedelta(hours=14))
    assert late.status == "degraded" and "is late" in late.detail
    database = Store(given.database_url)
    database.migrate()
    database.close()
    janitor(given, now, lambda: now + timedelta(days=8))
    assert store.cycles(now) == []
