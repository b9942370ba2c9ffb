"""Verification: scores by hand, the store's scoreboard, and a model that falls behind."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from hazecast.forecast.evaluation.verification import BASELINE_SUMS, SUMS, score_forecast, scoreboard, verdicts
from hazecast.services.core.settings import Settings
from hazecast.services.store.composition_cycles import CompositionStore
from hazecast.services.store.scores import runs_before, save_scores, stored_forecast
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun, ForecastScore, ForecastValue, Observation, ScoredDay
from hazecast.services.web.app import create_app
from hazecast.services.work import verification
from hazecast.services.work.cycle import run_cycle
from hazecast.services.work.verification import serving_id, verify
from tests.support.composition_publishers import run_of
from tests.support.forecasts import HOUR, INIT, forecast_of, observations_of
from tests.support.settings import make_settings

BY = ["pollutant", "lead_time"]
CHEMISTRY = datetime(2013, 1, 6, tzinfo=UTC)


def test_scores_by_hand() -> None:
    past = np.tile(np.where(np.arange(24) == 23, 40.0, 100.0), 30)  # 40 at the hour of the init time
    after = np.array([130.0, np.nan, 90.0])
    pairs = score_forecast(forecast_of(110.0), observations_of(np.concatenate([past, after]), INIT + 3 * HOUR))
    assert list(pairs["lead_time"]) == [1, 3] and set(pairs["pollutant"]) == {"pm25"}
    board = scoreboard(pairs, ["pollutant"]).iloc[0]
    assert board["n"] == 2 and board["bias"] == pytest.approx(((115 - 130) + (115 - 90)) / 2)
    assert board["rmse"] == pytest.approx(np.sqrt((15**2 + 25**2) / 2))
    assert board["mae"] == pytest.approx((20 + 20) / 2) and board["coverage80"] == 1.0
    assert board["persistence_rmse"] == pytest.approx(np.sqrt((90**2 + 50**2) / 2))
    assert board["climatology_rmse"] == pytest.approx(np.sqrt((30**2 + 10**2) / 2))
    assert board["climatology_mae"] == pytest.approx(20) and board["climatology_bias"] == pytest.approx(-10)
    assert board["persistence_rmse_ratio"] == pytest.approx(board["rmse"] / board["persistence_rmse"])


def test_baselines_know_only_what_the_run_knew() -> None:
    series = np.full(30 * 24, 50.0)
    series[-6:] = 500.0  # arrived after the run
    forecast = forecast_of(50.0)
    forecast.attrs["observations_until"] = np.datetime_as_string(INIT - 6 * HOUR, unit="s") + "Z"
    truth = np.arange(24) * 1.0
    pairs = score_forecast(forecast, observations_of(np.concatenate([series, truth]), INIT + 24 * HOUR))
    np.testing.assert_allclose(pairs["persistence_e"], 50.0 - truth)
    np.testing.assert_allclose(pairs["climatology_e"], 50.0 - truth)


def test_climatology_follows_the_hour_of_the_day_even_when_observations_are_late() -> None:
    hours = np.arange(33 * 24) % 24
    forecast = forecast_of(50.0)
    forecast.attrs["observations_until"] = np.datetime_as_string(INIT - 5 * HOUR, unit="s") + "Z"
    pairs = score_forecast(forecast, observations_of(10.0 * hours, INIT + 24 * HOUR))
    np.testing.assert_allclose(pairs["climatology_e"], 0.0, atol=1e-9)


def test_a_city_without_history_has_pairs_but_no_baseline() -> None:
    pairs = score_forecast(forecast_of(100.0), observations_of(np.array([90.0, 95.0]), INIT + 2 * HOUR))
    assert pairs["n"].sum() == 2 and pairs["persistence_n"].sum() == pairs["climatology_n"].sum() == 0
    board = scoreboard(pairs, ["pollutant"]).iloc[0]
    assert np.isnan(board["persistence_rmse"]) and np.isnan(board["climatology_rmse_ratio"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 900)), min_size=80, max_size=200), st.integers(1, 60))
def test_sums_add_up_whatever_is_missing_and_however_they_are_split(values, ahead) -> None:
    series = np.array([np.nan if value is None else value for value in values])
    pairs = score_forecast(forecast_of(80.0), observations_of(series, INIT + ahead * HOUR))
    assert len(pairs) == np.isfinite(series[-ahead:]).sum()
    whole = scoreboard(pairs, ["pollutant"]) if len(pairs) else None
    if whole is not None:
        halves = pd.concat([pairs.iloc[::2], pairs.iloc[1::2]]).groupby(BY, as_index=False)[[*SUMS, *BASELINE_SUMS]]
        pd.testing.assert_frame_equal(scoreboard(halves.sum(), ["pollutant"]), whole)
        assert (whole["rmse"] >= whole["bias"].abs() - 1e-9).all() and whole["coverage80"].between(0, 1).all()


def daily(model_error: float, baseline_error: float, days: int = 30, pairs: int = 48) -> pd.DataFrame:
    random = np.random.default_rng(1)
    rows = []
    for day in range(days):
        noise = random.uniform(0.8, 1.2, 2)
        row = {"day": day, "pollutant": "pm25", "lead_time": 12} | dict.fromkeys([*SUMS, *BASELINE_SUMS], 0.0)
        row |= {"persistence_n": pairs, "persistence_model_se": pairs * (model_error * noise[0]) ** 2}
        rows.append(row | {"persistence_se": pairs * (baseline_error * noise[1]) ** 2})
    return pd.DataFrame(rows)


def test_a_model_that_falls_behind_is_named_and_chance_is_not_blamed_on_it() -> None:
    (worse,) = verdicts(daily(60.0, 40.0), "m")
    assert worse.behind and worse.low > 0 and worse.days == 30 and worse.n == 1440
    assert worse.sentence().startswith("m falls behind persistence for PM2.5, 1 to 24 h: RMSE 6")
    (better,) = verdicts(daily(30.0, 40.0), "m")
    (alike,) = verdicts(daily(40.2, 40.0), "m")
    assert not better.behind and better.high < 0 and better.enough
    assert alike.enough and not alike.behind and alike.low < 0 < alike.high


def test_too_few_pairs_or_days_give_no_verdict() -> None:
    for few in (daily(60.0, 40.0, days=9, pairs=480), daily(60.0, 40.0, pairs=10)):
        (verdict,) = verdicts(few, "m")
        assert not verdict.enough and not verdict.behind and np.isnan(verdict.low)


def stored(store: Store) -> list[tuple]:
    with store.engine.connect() as connection:
        tables = [table.__table__ for table in (ForecastScore, ScoredDay)]
        return [tuple(row) for t in tables for row in connection.execute(select(t).order_by(*t.primary_key))]


@pytest.fixture(scope="module")
def episode(databases, tmp_path_factory, shared_data) -> Settings:
    """Real runs over the January 2013 episode, a day apart, each verifying what can be verified by then."""
    given = databases.settings(tmp_path_factory.mktemp("episode"), observations_dir=shared_data / "five-cities")
    # A run of the chemistry model that only the cycle of the 10th knows and that hasn't ended.
    run = run_of(CHEMISTRY, 80.0, datetime(2013, 1, 10, 22, 40, tzinfo=UTC))
    CompositionStore(given.composition_dir).save("open_meteo", run)
    for day in range(8, 12):
        report = run_cycle(given, init_time=datetime(2013, 1, day, 22, tzinfo=UTC), cities=("beijing",))
        expected = "No forecast has been scored" if day == 8 else "Too little to judge"
        assert report.verification[0].startswith(expected)
    return given


def test_scores_are_the_same_whatever_number_of_cities_is_scored_at_once(tmp_path, monkeypatch) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db", lambda: datetime(2013, 2, 10, tzinfo=UTC), tmp_path)
    store.migrate()
    cities = ["a", "b", "c"]
    values = np.random.default_rng(3).uniform(20.0, 200.0, (33 * 24, 3))
    observed = xr.concat(
        [observations_of(values[:, n], INIT + 24 * HOUR, [city]) for n, city in enumerate(cities)], "city"
    )
    forecast = forecast_of(80.0, cities=cities).assign(
        relative_humidity=(("lead_time", "city"), np.full((120, 3), 50.0))
    )
    file = tmp_path / "run.nc"
    store.save_run(forecast, observed, [], netcdf_path=file, map_path=file, cycle_id=store.begin_cycle(None, False))
    given = make_settings(data_dir=tmp_path)
    found = []
    for at_once in (200, 2, 1):
        monkeypatch.setattr(verification, "_CITIES_AT_ONCE", at_once)
        report = verify(given, store, datetime(2013, 2, 10, tzinfo=UTC), again=True)
        assert report.pairs == 3 * 24 and report.days == 1
        found.append(stored(store))
        with store.writing() as connection:
            connection.execute(delete(ForecastScore))
            connection.execute(delete(ScoredDay))
    store.close()
    assert found[0] == found[1] == found[2] and len(found[0]) == 3 * 24 + 1


def test_cycles_score_what_has_come_due_on_real_data(episode) -> None:
    store = Store(episode.database_url)
    until = datetime(2013, 1, 11, 22, tzinfo=UTC)
    before = stored(store)
    report = verify(episode, store, until)
    assert report.days == 3 and report.pairs and report.changed == 0  # the last cycle has done it
    assert stored(store) == before
    with store.sessions() as session:
        longest = session.execute(select(func.max(ForecastScore.lead_time), func.min(ForecastScore.lead_time))).one()
        observed = dict(
            session.execute(select(Observation.time, Observation.pm25).where(Observation.time <= until)).all()
        )
        forecasts = session.execute(
            select(ForecastRun.init_time, ForecastValue.lead_time, ForecastValue.pm25_mean).join(ForecastValue)
        ).all()
        squares = [
            (mean - observed[time]) ** 2
            for init_time, hours, mean in forecasts
            if observed.get(time := init_time + timedelta(hours=hours)) is not None
        ]
        kept = session.execute(
            select(func.sum(ForecastScore.se), func.sum(ForecastScore.n)).where(ForecastScore.pollutant == "pm25")
        ).one()
    assert tuple(longest) == (72, 1) and kept[1] == len(squares) > 100
    assert kept[0] == pytest.approx(sum(squares))
    store.close()


def test_the_chemistry_model_is_stored_with_a_forecast_and_scored_beside_it(episode, closed_after) -> None:
    store = closed_after(Store(episode.database_url, files=episode.data_dir))
    runs = runs_before(store, datetime(2013, 1, 11, 22, tzinfo=UTC))
    known = [int(stored_forecast(store, run)["pm25_cams"].notnull().sum()) for run in runs]
    assert known == [0, 0, 2]
    with xr.open_dataset(runs[2].netcdf_path, decode_timedelta=True) as file:
        assert file.attrs["composition_source"] == "CAMS, forecast of 2013-01-06T00:00:00Z"
        assert int((file["pm25_cams"] == 80.0).sum()) == int((file["o3_cams"] == 80.0).sum()) == 2
    with xr.open_dataset(runs[0].netcdf_path, decode_timedelta=True) as file:
        assert file.attrs["composition_source"] == "none" and "pm25_cams" not in file
    app = create_app(episode)
    closed_after(app.state.service.store)
    body = TestClient(app).get("/v1/verification?pollutant=pm25").json()
    first, *_, third = [score for score in body["scores"] if score["lead_time"] in (1, 2, 3)]
    assert first["persistence"]["n"] == 3 and first["cams"]["n"] == 1 and first["cams"]["rmse"] > 0
    assert third["cams"]["n"] == 0 and third["cams"]["rmse"] is None
    assert body["bands"][0]["cams_rmse"] > 0 and body["bands"][1]["cams_rmse"] is None
    page = TestClient(app).get("/?city=beijing&lang=en").text
    assert "Against CAMS" in page and "modified Copernicus Atmosphere" in page


def test_an_earlier_time_or_pruned_forecasts_take_no_score_away(databases, episode, tmp_path) -> None:
    copy = databases.copy(episode, tmp_path / "copy")
    store = Store(copy.database_url)
    before = stored(store)
    verify(copy, store, datetime(2013, 1, 10, 22, tzinfo=UTC), again=True)
    assert stored(store) == before
    with store.writing() as connection:
        connection.execute(delete(ForecastValue))
    assert verify(copy, store, datetime(2013, 2, 10, tzinfo=UTC)).changed == 0
    assert [row for row in stored(store) if len(row) > 2] == [row for row in before if len(row) > 2]
    assert verify(copy, store, datetime(2013, 2, 11, tzinfo=UTC)).days == 0  # every day is closed
    store.close()


def test_the_api_shows_the_scoreboard(episode, closed_after) -> None:
    app = create_app(episode)
    closed_after(app.state.service.store)
    client = TestClient(app)
    answer = client.get("/v1/verification")
    body = answer.json()
    assert answer.headers["cache-control"].startswith("public") and body["behind"] is False
    assert (body["first_day"], body["last_day"]) == ("2012-12-12", "2013-01-10")
    assert datetime.fromisoformat(body["scored_until"]) == datetime(2013, 1, 11, 22, tzinfo=UTC)
    first = body["scores"][0]
    assert first["pollutant"] == "pm25" and first["lead_time"] == 1 and first["n"] == 3
    assert first["rmse"] > 0 and first["persistence"]["n"] == 3 and 0 <= first["coverage80"] <= 1
    again = client.get("/v1/verification", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    own = client.get("/v1/verification?city=beijing&pollutant=pm25&days=1").json()
    assert own["first_day"] == own["last_day"] == "2013-01-10" and own["scores"][0]["n"] == 1
    assert client.get("/v1/verification?pollutant=o3").json()["scores"] == []
    assert client.get("/v1/verification?city=bejing").status_code == 422
    assert client.get("/v1/verification?days=0").status_code == 422


def test_the_api_says_when_the_model_in_service_falls_behind(databases, tmp_path, closed_after) -> None:
    given = databases.settings(tmp_path)
    store = Store(given.database_url)
    store.migrate()
    model_id = serving_id(given)
    app = create_app(given)
    closed_after(app.state.service.store)
    client = TestClient(app)
    for error, behind in ((30.0, False), (70.0, True)):
        rows = daily(error, 40.0, days=12).assign(model_id=model_id, city="beijing")
        rows["day"] = [date(2026, 1, 1) + timedelta(days=int(day)) for day in rows["day"]]
        rows["n"] = rows["persistence_n"]
        until = datetime(2026, 1, 13, int(behind), tzinfo=UTC)
        assert save_scores(store, rows, sorted(set(rows["day"])), until) == 12
        body = client.get("/v1/verification").json()
        assert body["behind"] is behind and body["model_id"] == model_id
        assert ("falls behind persistence for PM2.5" in body["statements"][0]) is behind
    store.close()


def test_simulated_runs_are_not_scored(tmp_path) -> None:
    given = Settings(data_dir=tmp_path)
    first = datetime(2026, 1, 15, 22, tzinfo=UTC)
    for time in (first, first + timedelta(hours=12)):
        assert run_cycle(given, init_time=time, cities=("beijing",)).verification == ()
    store = Store(given.database_url)
    report = verify(given, store, first + timedelta(days=9))
    assert (report.days, report.pairs) == (0, 0) and "No forecast has been scored" in report.standing.sentences[0]
    store.close()
    assert TestClient(create_app(given)).get("/v1/verification").json()["scores"] == []


def test_a_fault_in_verification_costs_no_forecast(tmp_path, shared_data, monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.work.cycle.verify", lambda *_: 1 / 0)
    given = make_settings(data_dir=tmp_path, observations_dir=shared_data / "five-cities")
    report = run_cycle(given, init_time=datetime(2013, 1, 11, 22, tzinfo=UTC), cities=("beijing",))
    assert report.status == "done" and "ZeroDivisionError" in report.verification[0]
