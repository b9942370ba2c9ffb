"""The backtest from files: real data in, scores out, and weather as it was issued."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hazecast.forecast.issued_weather import IssuedWeather
from hazecast.grids.contract import LEAD_HOURS, describe
from hazecast.grids.errors import InputError
from hazecast.models.series import WEATHER_NAMES
from hazecast.models.zoo.combined import Combined
from hazecast.models.zoo.network import Network
from hazecast.models.zoo.network_model import NetworkModel
from hazecast.services.research.backtests import BacktestPlan, run_backtest
from hazecast.services.research.files import write_json
from hazecast.services.research.skill import BASELINES, BEGIN, END, against_models, by_place, put_into
from tests.support.training_data import TINY, made_series, made_windows

HOUR = np.timedelta64(1, "h")


def plan_for(folder: Path, **changes: object) -> BacktestPlan:
    given = {
        "observations": folder,
        "until": datetime(2013, 5, 1, tzinfo=UTC),
        "start": datetime(2013, 5, 1, tzinfo=UTC),
        "end": datetime(2013, 5, 8, tzinfo=UTC),
        "models": ("persistence", "climatology"),
        "every": 12,
    }
    return BacktestPlan(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def one_station(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collection")
    (folder / "Tiantan.csv.gz").symlink_to(shared_data / "beijing-multisite" / "Tiantan.csv.gz")
    return folder


@pytest.fixture(scope="module")
def result(one_station: Path) -> dict[str, object]:
    return run_backtest(plan_for(one_station))[0]


def test_real_data_give_scores_of_every_kind(result, tmp_path: Path) -> None:
    assert set(result) == {"models", "by_station", "by_season", "by_month", "differences", "meta"}
    meta = result["meta"]
    assert meta["weather"] == "no future weather" and meta["places"] == ["beijing"]
    assert meta["windows"] == 14 and set(meta["training_seconds"]) == {"persistence", "climatology"}
    scores = result["models"]["persistence"]["pm25"]
    assert scores["rmse"]["1"] < scores["rmse"]["24"]
    assert 0 < scores["csi_75"]["1-24"] <= 1 and scores["n"]["120"] < scores["n"]["1"]
    assert 0.5 < scores["coverage80"]["1-72"] < 1
    out = tmp_path / "new" / "scores.json"
    write_json(result, out)
    assert json.loads(out.read_text()) == json.loads(json.dumps(result))
    assert [p.name for p in out.parent.iterdir()] == ["scores.json"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"until": datetime(2013, 5, 2, tzinfo=UTC)}, "train-until"),
        ({"end": datetime(2013, 5, 1, tzinfo=UTC)}, "to"),
        ({"start": datetime(2020, 6, 1, tzinfo=UTC), "end": datetime(2020, 7, 1, tzinfo=UTC)}, "2020"),
        ({"models": ("nosuch",)}, "nosuch"),
        ({"models": ("persistence", "persistence")}, "once"),
        ({"perturb": True}, "perturb"),
        ({"every": 0}, "every"),
        ({"weather": "nowhere/at/all"}, "nowhere"),
        ({"until": datetime(2013, 3, 2, tzinfo=UTC)}, "train-until"),
    ],
)
def test_plans_that_do_not_fit_are_named(one_station: Path, changes: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        run_backtest(plan_for(one_station, **changes))


def test_a_model_that_learns_while_it_is_scored_begins_each_backtest_as_trained(one_station: Path) -> None:
    model = Combined(NetworkModel(network=Network(**TINY)))
    before = model.state
    plan = plan_for(one_station, models=("service",))
    first, second = (run_backtest(plan, {"service": model})[0]["models"] for _ in range(2))
    assert first == second
    assert model.state is before


def test_weather_files_are_sampled_and_given_as_issued(one_station: Path, tmp_path: Path) -> None:
    for day, temperature in ((1, 290.0), (4, 300.0)):
        issued = datetime(2013, 5, day, tzinfo=UTC)
        times = np.datetime64(issued.replace(tzinfo=None), "ns") + np.arange(0, LEAD_HOURS + 1) * HOUR
        values = np.full((len(times), 3, 3), temperature, np.float32)
        grid = xr.Dataset(
            {"t2m": (("time", "latitude", "longitude"), values)},
            coords={"time": times, "latitude": [39.0, 40.0, 41.0], "longitude": [116.0, 117.0, 118.0]},
            attrs={"source": "made by the test", "init_time": issued.isoformat()},
        )
        describe(grid, "weather_grid").to_netcdf(tmp_path / f"{day}.nc")
    result, _ = run_backtest(plan_for(one_station, weather=str(tmp_path), models=("persistence",)))
    assert "2 forecasts" in result["meta"]["weather"]


def test_only_weather_issued_by_the_init_time_is_seen() -> None:
    series = made_series(800)
    names = [str(place) for place in series.places]

    def forecast(issue: int, value: float) -> tuple[np.datetime64, xr.Dataset]:
        times = series.times[issue] + np.arange(LEAD_HOURS + 24) * HOUR
        data = np.broadcast_to(np.array([value, value + 2]), (len(times), 2)).astype(np.float32)
        return series.times[issue], xr.Dataset({"t2m": (("time", "city"), data)}, coords={"time": times, "city": names})

    weather = IssuedWeather([forecast(300, 290.0), forecast(200, 280.0)], series)
    windows = made_windows(series, every=1)
    batch = windows.batch(np.arange(len(windows)), future_weather=False)
    seen = weather.put_into(batch)
    now = ((batch.init_time - series.times[0]) / HOUR).astype(int)
    t2m = WEATHER_NAMES.index("t2m")
    first = seen.future_weather[:, 0, t2m]
    own = np.where(batch.place == names[0], 0, 2)
    assert np.isnan(first[now < 200]).all()
    between = (now >= 200) & (now < 300)
    np.testing.assert_array_equal(first[between], 280.0 + own[between])
    at_300 = now == 300
    np.testing.assert_array_equal(first[at_300], 290.0 + own[at_300])
    np.testing.assert_array_equal(seen.area_future_weather[between][:, 0, t2m], 281.0)
    # what a forecast no longer reaches is missing, not taken from elsewhere
    late = now == 250
    assert np.isnan(seen.future_weather[late][:, -1, t2m]).all()
    with pytest.raises(InputError, match="city"):
        IssuedWeather([(None, forecast(300, 1.0)[1].isel(city=[0]))], series)


def test_the_table_of_skill_is_made_from_scores_and_put_between_its_marks(result, tmp_path: Path) -> None:
    models = against_models({"none": result})
    rmse = result["models"]["persistence"]["pm25"]["rmse"]["1-24"]
    assert f"| persistence | {rmse:.1f} |" in models and "| climatology |" in models
    # What is scored plays the service and every baseline: each ratio is then 1.
    own = {
        place: dict.fromkeys(("service", *BASELINES), scores["persistence"])
        for place, scores in result["by_station"].items()
    }
    table = by_place({"none": {"by_station": own}})
    assert all(f"| {place} | none | PM2.5 |" in table for place in own)
    assert f"{own[next(iter(own))]['service']['pm25']['rmse']['1-24']:.1f} (1.000)" in table
    document = tmp_path / "skill.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_into(document, table)
    text = document.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and table in text and "old" not in text
    put_into(document, table)
    assert document.read_text() == text
    document.write_text("no marks")
    with pytest.raises(InputError, match="marks"):
        put_into(document, table)
    assert document.read_text() == "no marks"
