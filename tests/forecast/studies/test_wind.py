"""Transport: sources in synthetic data are located."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hazecast.forecast.studies.wind.cases import arrival_concentrations, arrivals, turning_wind
from hazecast.forecast.studies.wind.receptor import source_regions
from hazecast.forecast.studies.wind.roses import (
    conditional_probability,
    peak_of,
    polar_surface,
    pollution_rose,
    wind_sample,
)
from hazecast.forecast.studies.wind.trajectories import EARTH_RADIUS, cluster, trajectories
from hazecast.grids.contract import describe
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import great_circle_km
from hazecast.services.cli.app import app
from hazecast.services.research.places import series_at

START = np.datetime64("2015-01-01T00", "ns")
HOUR = np.timedelta64(1, "h")


def grid(u, v, hours: int = 96, step: float = 0.5) -> xr.Dataset:
    """Weather over East Asia from functions of seconds, latitude and longitude (degrees)."""
    times = START + np.arange(hours + 1) * HOUR
    lats, lons = np.arange(20.0, 50.01, step), np.arange(100.0, 140.01, step)
    t, lat, lon = np.meshgrid(np.arange(hours + 1) * 3600.0, lats, lons, indexing="ij")
    dims = ("time", "latitude", "longitude")
    found = xr.Dataset(
        {"u10": (dims, u(t, lat, lon)), "v10": (dims, v(t, lat, lon))},
        coords={"time": times, "latitude": lats, "longitude": lons},
        attrs={"source": "analytic"},
    )
    return describe(found, "weather_grid")


def rotation(period_hours: float, pole=(35.0, 120.0)) -> xr.Dataset:
    """Solid-body rotation of the air about a pole: every parcel runs on a circle about it, once a period."""
    omega = 2 * np.pi / (period_hours * 3600.0)
    lat0, lon0 = np.deg2rad(pole)

    def u(_, lat, lon):
        a, b = np.deg2rad(lat), np.deg2rad(lon)
        return omega * EARTH_RADIUS * (np.sin(lat0) * np.cos(a) - np.cos(lat0) * np.sin(a) * np.cos(b - lon0))

    def v(_, lat, lon):
        return omega * EARTH_RADIUS * np.cos(lat0) * np.sin(np.deg2rad(lon) - lon0)

    return grid(u, v)


def test_in_a_zonal_wind_parcels_keep_near_their_parallel_and_go_as_far_as_it_blows() -> None:
    weather = grid(lambda t, lat, lon: np.full_like(lat, 10.0), lambda t, lat, lon: np.zeros_like(lat))
    paths = trajectories(weather, [30.0], [120.0], START + 48 * HOUR, hours=-24)
    assert paths["age"].values[-1] == -24 and paths.attrs["left_early"] == 0
    gone = great_circle_km(30.0, 120.0, paths["latitude"].values[0, -1], paths["longitude"].values[0, -1])
    assert gone == pytest.approx(10.0 * 86.4, rel=0.002)
    assert paths["longitude"].values[0, -1] < 112 and abs(paths["latitude"].values[0, -1] - 30.0) < 0.05


@pytest.mark.parametrize("hours", [-48.0, 48.0])
def test_in_solid_rotation_parcels_come_back_after_a_period_at_their_distance(hours) -> None:
    weather = rotation(48.0)
    paths = trajectories(weather, [37.0, 35.0, 33.0], [120.0, 123.0, 117.0], START + 48 * HOUR, hours=hours)
    away = great_circle_km(35.0, 120.0, paths["latitude"].values, paths["longitude"].values)
    assert np.abs(away - away[:, :1]).max() < 3.0
    lat, lon = paths["latitude"].values, paths["longitude"].values
    assert great_circle_km(lat[:, 0], lon[:, 0], lat[:, -1], lon[:, -1]).max() < 12.0
    # a quarter of a period on, a parcel north of the pole is west of it going with the flow, east going back
    quarter = paths.sizes["age"] // 4
    assert (lon[0, quarter] < 118.0) if hours > 0 else (lon[0, quarter] > 122.0)


def test_the_path_in_a_changing_wind_is_its_integral_and_leads_there_and_back() -> None:
    # Wind that turns with the hours and doesn't change in space: the path is an integral known exactly.
    speed, omega = 8.0, 2 * np.pi / (18 * 3600.0)
    weather = grid(
        lambda t, lat, lon: np.zeros_like(lat), lambda t, lat, lon: speed * np.sin(omega * t), hours=36, step=2.0
    )
    errors = []
    for minutes in (180.0, 60.0):
        paths = trajectories(weather, [35.0], [120.0], START, hours=9, step_minutes=minutes)
        # linear in time between the hours, as the grid is
        hourly = speed * np.sin(omega * 3600.0 * np.arange(10))
        exact = np.rad2deg(np.sum((hourly[1:] + hourly[:-1]) / 2) * 3600.0 / EARTH_RADIUS)
        errors.append(abs(paths["latitude"].values[0, -1] - 35.0 - exact))
    assert errors[1] < 1e-9 and errors[1] < errors[0] < 0.2
    weather = rotation(60.0)
    out = trajectories(weather, [36.5], [121.0], START, hours=30)
    end = START + 30 * HOUR
    back = trajectories(weather, out["latitude"].values[:, -1], out["longitude"].values[:, -1], end, hours=-30)
    assert great_circle_km(36.5, 121.0, back["latitude"].values[0, -1], back["longitude"].values[0, -1]) < 0.5


def test_parcels_that_leave_are_counted_and_have_no_position_beyond() -> None:
    weather = grid(lambda t, lat, lon: np.full_like(lat, 30.0), lambda t, lat, lon: np.zeros_like(lat))
    paths = trajectories(weather, [30.0, 30.0], [101.0, 135.0], START + 90 * HOUR, hours=-24)
    assert paths.attrs["left_early"] == 1
    first = paths["latitude"].values[0]
    gone = np.flatnonzero(~np.isfinite(first))
    assert len(gone) and not np.isfinite(first[gone[0] :]).any() and np.isfinite(paths["latitude"].values[1]).all()
    early = trajectories(weather, [30.0], [120.0], START + 3 * HOUR, hours=-24)
    assert np.isfinite(early["latitude"].values).sum() == 7


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"hours": 0.0}, "hours"),
        ({"hours": -1e6}, "hours"),
        ({"step_minutes": 0.0}, "step_minutes"),
    ],
)
def test_numbers_out_of_range_are_refused(change, named) -> None:
    weather = rotation(48.0)
    with pytest.raises(InputError, match=named):
        trajectories(weather, [30.0], [120.0], START, **change)
    with pytest.raises(InputError, match="u10"):
        trajectories(weather.drop_vars("u10"), [30.0], [120.0], START)


@pytest.fixture(scope="module")
def shanghai():
    return arrivals()


@pytest.mark.parametrize("source", [(30.0, 119.5), (33.0, 120.0), (31.5, 118.5)])
def test_a_source_region_is_found_where_it_was_put(shanghai, source) -> None:
    paths, when, day = shanghai
    found = source_regions(paths, arrival_concentrations(paths, source), cell_degrees=0.5, day=day)
    for name in ("pscf", "cwt"):
        field = found[name].values
        row, column = np.unravel_index(int(np.nanargmax(field)), field.shape)
        away = great_circle_km(*source, found["latitude"].values[row], found["longitude"].values[column])
        assert away < 90.0, f"{name}: {away:.0f} km"
    # Of what two episodes or more crossed, an interval about the mean; of the rest none.
    given = found["cwt_low"].notnull()
    assert (found["cwt_low"] <= found["cwt"]).where(given, True).all() and given.where(
        found["weight"] == 1.0, True
    ).all()
    assert (found["cwt"] <= found["cwt_high"]).where(given, True).all() and not given.where(
        found["points"] > 0, True
    ).all()
    assert float(found["pscf"].max()) <= 1.0 and found.attrs["arrivals"] == len(when)


def two_ways(days: int) -> tuple[xr.Dataset, np.ndarray]:
    """Return an arrival a day, clean ones through a cell in the west and as many polluted ones through one in the east."""
    day = np.arange(days)
    lon = np.stack([np.full(days, 116.0), np.where(day % 2 == 0, 115.25, 117.25)], axis=1)
    lat = np.stack([np.full(days, 40.0), np.full(days, 40.25)], axis=1)
    axes = {"latitude": (("parcel", "age"), lat), "longitude": (("parcel", "age"), lon)}
    return xr.Dataset(axes), np.where(day % 2 == 0, 20.0, 100.0) + 0.01 * day


def test_the_interval_of_pscf_is_wilsons_of_the_blocks() -> None:
    paths, value = two_ways(140)
    found = source_regions(paths, value, percentile=50.0, day=np.arange(140))
    share, low, high = (
        (found[name] / found["weight"]).sel(latitude=40.25).dropna("longitude").values
        for name in ("pscf", "pscf_low", "pscf_high")
    )
    # Twenty blocks of seven days cross either cell, in turn three and four times: 70^2 / (10 * 9 + 10 * 16) = 19.6 equal ones. With
    # s = t(18.6 degrees, 0.975)^2 / 19.6 = 2.0960^2 / 19.6, the upper end of no polluted path is s / (1 + s).
    assert share.tolist() == [0.0, 1.0] and low[0] == 0.0 and high[1] == pytest.approx(1.0)
    assert abs(high[0] - 0.1831) < 2e-4 and abs(low[1] - (1 - 0.1831)) < 2e-4
    assert found.attrs["overall"] == 0.5 and found.attrs["left_out"] == 0


def test_no_region_is_mapped_of_a_concentration_that_never_changes() -> None:
    paths, value = two_ways(140)
    with pytest.raises(InputError, match="at every arrival"):
        source_regions(paths, np.full(140, 8.0), day=np.arange(140))
    value[:30] = np.nan
    found = source_regions(paths, value, day=np.arange(140))
    assert (found.attrs["arrivals"], found.attrs["left_out"]) == (110, 30)


def test_without_a_source_no_region_stands_out(shanghai) -> None:
    paths, when, _ = shanghai
    value = np.random.default_rng(1).gamma(4.0, 12.0, len(when))
    found = source_regions(paths, value, percentile=75.0)
    often = found["points"] > 3 * float(found["points"].mean())
    assert found["pscf"].where(often).max() < 0.45 and abs(float(found["pscf"].where(often).mean()) - 0.25) < 0.06


def test_source_regions_refuse_what_cannot_be_meant(shanghai) -> None:
    paths, when, _ = shanghai
    with pytest.raises(InputError, match="concentration"):
        source_regions(paths, np.ones(3))
    with pytest.raises(InputError, match="at least 20"):
        source_regions(paths, np.full(len(when), np.nan))
    with pytest.raises(InputError, match="cell_degrees"):
        source_regions(paths, np.ones(len(when)), cell_degrees=0.0)


def test_clusters_tell_apart_two_ways_the_air_comes() -> None:
    parts = []
    for u, v in ((6.0, 0.0), (0.0, -6.0)):
        weather = grid(
            lambda t, lat, lon, u=u: np.full_like(lat, u),
            lambda t, lat, lon, v=v: np.full_like(lat, v),
            hours=48,
            step=2.0,
        )
        count = 30 if u else 12
        paths = trajectories(weather, np.full(count, 33.0), np.linspace(119, 121, count), START + 48 * HOUR, hours=-36)
        parts.append(paths)
    both = xr.concat(parts, "parcel", combine_attrs="drop_conflicts")
    labels = cluster(both)
    assert labels.attrs["groups"] == 2 and labels.attrs["explained"] > 0.95
    assert (labels.values[:30] == 0).all() and (labels.values[30:] == 1).all()
    with pytest.raises(InputError, match="groups"):
        cluster(both, groups=100)


def series(origin: np.ndarray, speed: np.ndarray, concentration: np.ndarray):
    times = pd.date_range("2014-01-01", periods=len(origin), freq="h")

    def one(values):
        return xr.DataArray(values, dims="time", coords={"time": times})

    u, v = -speed * np.sin(np.deg2rad(origin)), -speed * np.cos(np.deg2rad(origin))
    return one(concentration), one(u), one(v)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 15), st.integers(0, 1000))
def test_the_sector_of_a_source_stands_out_for_any_direction(sector, seed) -> None:
    random = np.random.default_rng(seed)
    origin, speed = random.uniform(0, 360, 3000), random.gamma(3.0, 1.0, 3000)
    turn = (origin - sector * 22.5 + 180) % 360 - 180
    value = random.gamma(5.0, 8.0, 3000) + 100.0 * (np.abs(turn) <= 11.25)
    sample = wind_sample(*series(origin, speed, value))
    found = conditional_probability(sample, percentile=90.0)
    assert int(found["probability"].values.argmax()) == sector
    low, high = float(found["low"][sector]), float(found["high"][sector])
    assert found.attrs["overall"] < low <= found["probability"][sector] <= high
    rose = pollution_rose(sample, np.array([35.0, 75.0, 115.0]))
    assert float(rose.sum()) == pytest.approx(1.0) and int(rose.isel(group=-1).values.argmax()) == sector


def test_a_polar_plot_shows_direction_and_speed_of_a_chimney() -> None:
    random = np.random.default_rng(4)
    origin, speed = random.uniform(0, 360, 12_000), random.gamma(3.0, 1.5, 12_000)
    turn = (origin - 225.0 + 180) % 360 - 180
    value = 40.0 + 120.0 * np.exp(-0.5 * (turn / 15) ** 2) * np.exp(-0.5 * ((speed - 6.0) / 1.0) ** 2)
    surface = polar_surface(wind_sample(*series(origin, speed, value + random.normal(0, 10, 12_000))))
    where, fast, high = peak_of(surface)
    assert where == pytest.approx(225.0, abs=8.0) and fast == pytest.approx(6.0, abs=0.8) and 100.0 < high < 160.0
    assert np.isnan(surface["concentration"].values[0, 0]), "nothing is known where it never blows"


def test_hours_without_wind_or_value_are_counted_and_too_few_are_refused() -> None:
    random = np.random.default_rng(5)
    origin, speed = random.uniform(0, 360, 1000), np.full(1000, 3.0)
    value = np.full(1000, 50.0)
    value[:100] = np.nan
    speed[100:150] = 0.1
    sample = wind_sample(*series(origin, speed, value))
    assert sample.left_out == 100 and (~sample.windy).sum() == 50
    with pytest.raises(InputError, match="at least 200"):
        wind_sample(*series(origin, speed, np.where(np.arange(1000) < 900, np.nan, 50.0)))
    with pytest.raises(InputError, match="percentile"):
        conditional_probability(sample, percentile=100.0)
    with pytest.raises(InputError, match="in every hour"):
        conditional_probability(wind_sample(*series(origin, speed, np.full(1000, 8.0))))
    with pytest.raises(InputError, match="edges"):
        pollution_rose(sample, np.array([75.0, 35.0]))


def test_the_commands_answer_and_refuse_what_they_cannot_use(shared_data, tmp_path, capsys) -> None:
    folder = str(shared_data / "beijing-multisite")
    answer = CliRunner().invoke(
        app, ["study", "wind", "--observations", folder, "--place", "Dongsi", "--json", "--out", str(tmp_path)]
    )
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    by_origin = {row["origin"]: row for row in found["conditional_probability"]}
    # Beijing's known pattern: dirty air from the east and south-east, clean from the north-west.
    assert by_origin[90.0]["low"] > found["probability_all_winds"] > by_origin[315.0]["high"]
    assert {p.name for p in tmp_path.iterdir()} >= {"polar.png", "pollution_rose.png", "conditional_probability.csv"}
    with pytest.raises(InputError, match="place"):
        series_at(shared_data / "beijing-multisite", "Atlantis", "pm25")
    with pytest.raises(InputError, match="pollutant"):
        series_at(shared_data / "beijing-multisite", "Dongsi", "nh3")


def test_trajectories_from_weather_files_with_source_regions(shared_data, tmp_path) -> None:
    wind = turning_wind(30, seed=1)
    # Placed over Beijing, in days that the collection observed.
    wind = wind.assign_coords(
        latitude=wind["latitude"] + 8.0, longitude=wind["longitude"] - 5.0, time=wind["time"] - np.timedelta64(365, "D")
    )
    wind.to_netcdf(tmp_path / "wind.nc")
    arguments = [
        "study", "trajectories", "--weather", str(tmp_path / "wind.nc"), "--city", "beijing", "--from", "2014-01-05T00:00Z",
        "--to", "2014-01-28T00:00Z", "--hours", "24", "--observations", str(shared_data / "beijing-multisite"), "--json",
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["arrivals"] == 93 and found["left_the_grid_early"] == 0 and found["clusters"] >= 2
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {
        "trajectories.png",
        "pscf.png",
        "cwt.png",
        "source_regions.csv",
    }
    arguments[arguments.index("2014-01-05T00:00Z")] = "2014-01-05"
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, InputError) and "--from" in str(refused.exception)
