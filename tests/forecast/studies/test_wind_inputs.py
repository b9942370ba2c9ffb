"""Transport studies on what others measured and computed: any species, HYSPLIT's endpoints, wind on pressure levels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from hazecast.forecast.studies.wind.endpoints import read_endpoints
from hazecast.forecast.studies.wind.trajectories import trajectories
from hazecast.grids.errors import InputError
from hazecast.grids.weather.pressure_levels import read_level_wind
from hazecast.services.cli.app import app
from hazecast.services.research.species_wind import species_of

HEADER = """     2     1
    CDC1    14     1     1     0     0
    CDC1    14     2     1     0     0
     2 BACKWARD OMEGA   
    14     1    20     6   39.904  116.407   500.0
    14     1    20    12   39.904  116.407   500.0
     1 PRESSURE
"""  # fmt: skip


def endpoint(number: int, age: int, day: int, hour: int, lat: float, lon: float) -> str:
    return f"{number:6d}{1:6d}{14:6d}{1:6d}{day:6d}{hour:6d}{0:6d}{0:6d}{age:8.1f}{lat:9.3f}{lon:9.3f}{500:8.1f}{950:9.1f}\n"


def tdump(path: Path, short: bool = False) -> Path:
    """Write two trajectories from the west, 12 h long; the second ends at 6 h if short."""
    lines = [
        endpoint(number, -age, 20, start - age, 39.904, 116.407 - 0.5 * age)
        for age in range(13)
        for number, start in ((1, 6), (2, 12))
        if start - age >= 0 and not (short and number == 2 and age > 6)
    ]
    lines += [endpoint(1, -age, 19, 30 - age, 39.904, 116.407 - 0.5 * age) for age in range(7, 13)]
    path.write_text(HEADER + "".join(lines))
    return path


def test_endpoints_of_hysplit_are_read_as_they_stand_in_the_file(tmp_path) -> None:
    paths = read_endpoints(tdump(tmp_path / "tdump.1"))
    assert paths["age"].values.tolist() == [-float(age) for age in range(13)]
    assert paths["start"].values.astype("datetime64[h]").astype(str).tolist() == ["2014-01-20T06", "2014-01-20T12"]
    assert np.allclose(paths["longitude"].values, 116.407 - 0.5 * np.arange(13)) and paths.attrs["left_early"] == 0
    assert float(paths["height"][0, 0]) == 500.0 and paths.attrs["source"] == "HYSPLIT, backward omega"
    tdump(tmp_path / "tdump.2", short=True)
    both = read_endpoints(tmp_path)
    assert both.sizes["parcel"] == 4 and both.attrs["left_early"] == 1


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("BACKWARD", "SIDEWARD", "line 4"),
        ("  950.0\n", "\n", "13 numbers"),
        ("     2 BACKWARD", "     3 BACKWARD", "line 7"),
        ("   -3.0   39.904", "   -2.0   39.904", "each age once"),
        ("   39.904  115.907", "   99.904  115.907", "degrees"),
    ],
)
def test_files_that_are_no_endpoints_are_refused(tmp_path, old, new, named) -> None:
    path = tdump(tmp_path / "tdump")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=named):
        read_endpoints(path)


def test_trajectories_of_hysplit_are_clustered_and_belong_to_their_city(tmp_path) -> None:
    path = tdump(tmp_path / "tdump")
    run = ["study", "trajectories", "--endpoints", str(path), "--groups", "1", "--json"]
    answer = CliRunner().invoke(app, [*run, "--city", "beijing"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert (found["arrivals"], found["hours"], found["clusters"]) == (2, -12.0, 1) and "vertical" in found["note"]
    for wrong, named in (
        (["--city", "shanghai"], "km from shanghai"),
        (["--city", "beijing", "--hours", "24"], "hours"),
    ):
        refused = CliRunner().invoke(app, [*run, *wrong])
        assert isinstance(refused.exception, InputError) and named in str(refused.exception)


def levels(path: Path) -> Path:
    """Write a file in the layout of ERA5 on pressure levels: from the west at 850 hPa, from the south at 925."""
    time = np.datetime64("2014-01-01T00", "ns") + np.arange(300) * np.timedelta64(1, "h")
    shape = (300, 2, 5, 9)
    fields = {"u": np.zeros(shape, np.float32), "v": np.zeros(shape, np.float32)}
    fields["u"][:, 1], fields["v"][:, 0] = 10.0, 5.0
    dims = ("valid_time", "pressure_level", "latitude", "longitude")
    standard = {"u": "eastward_wind", "v": "northward_wind"}
    xr.Dataset(
        {n: (dims, f, {"units": "m s**-1", "standard_name": standard[n]}) for n, f in fields.items()},
        coords={
            "valid_time": time,
            "pressure_level": ("pressure_level", [925.0, 850.0], {"units": "hPa"}),
            "latitude": ("latitude", np.linspace(42.0, 38.0, 5), {"units": "degrees_north"}),
            "longitude": ("longitude", np.linspace(110.0, 118.0, 9), {"units": "degrees_east"}),
        },
    ).to_netcdf(path)
    return path


def test_the_wind_of_the_level_asked_for_moves_the_air(tmp_path) -> None:
    path = levels(tmp_path / "era5.nc")
    west = read_level_wind(path, 850.0)
    assert west.attrs["level_hpa"] == 850.0 and float(west["u"].min()) == 10.0 and float(west["v"].max()) == 0.0
    assert float(read_level_wind(path, 925)["v"].mean()) == 5.0
    paths = trajectories(west, [40.0], [116.0], west["time"].values[20], hours=-6, wind=("u", "v"))
    # 6 h of 10 m/s are 216 km, 2.54 degrees on this parallel
    assert float(paths["longitude"][0, -1]) == pytest.approx(116.0 - 2.54, abs=0.02)
    with pytest.raises(InputError, match="no wind at 700 hPa"):
        read_level_wind(path, 700)


def test_levels_of_a_published_grib_file_are_told_apart(shared_data) -> None:
    path = shared_data / "published" / "grib" / "gfs_2p5_f120.grib2"
    low, high = read_level_wind(path, 925), read_level_wind(path, 250)
    assert low.sizes == {"time": 1, "latitude": 73, "longitude": 144}
    assert float(np.hypot(low["u"], low["v"]).mean()) < 0.6 * float(np.hypot(high["u"], high["v"]).mean())
    # westerlies of the middle latitudes
    assert float(high["u"].sel(latitude=slice(30, 50)).mean()) > 5.0


def samples(path: Path, every: str = "h", wind: bool = True, zone: str | None = "UTC") -> Path:
    """Write zinc that comes from the east (90 degrees), ng m-3."""
    random = np.random.default_rng(2)
    origin = random.uniform(0, 360, 300)
    table = pd.DataFrame({"Zn": 20 + 80 * (np.abs(origin - 90) < 20) + random.uniform(0, 5, 300)})
    if wind:
        table["wind_speed"], table["wind_direction"] = 3.0, origin
    table.index = pd.date_range("2014-01-01", periods=300, freq=every).strftime(
        "%Y-%m-%dT%H:%M" + ("Z" if zone else "")
    )
    table.to_csv(path, index_label="time")
    return path


def test_any_species_with_its_own_unit_has_its_wind_directions(tmp_path) -> None:
    path = samples(tmp_path / "metals.csv")
    run = [
        "study",
        "wind",
        "--place",
        "beijing",
        "--samples",
        str(path),
        "--pollutant",
        "Zn",
        "--unit",
        "ng m-3",
        "--json",
    ]
    answer = CliRunner().invoke(app, [*run, "--out", str(tmp_path / "out")])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    rows = {row["origin"]: row["probability"] for row in found["conditional_probability"]}
    assert max(rows, key=rows.__getitem__) == 90.0 and found["unit"] == "ng m-3" and found["wind"] == "measured wind"
    above = ["--weather", str(levels(tmp_path / "era5.nc")), "--level", "850"]
    found = json.loads(CliRunner().invoke(app, [*run, *above]).stdout)
    # Hours without an offset may be those of a clock in Beijing: beside other data, eight hours off.
    samples(path, zone=None)
    assert json.loads(CliRunner().invoke(app, run).stdout)["hours"] == 300
    local = CliRunner().invoke(app, [*run, *above])
    assert isinstance(local.exception, InputError) and "a time with its offset" in str(local.exception)
    hours = {row["origin"]: row["hours"] for row in found["conditional_probability"]}
    assert found["wind"] == "wind at 850 hPa" and hours.pop(270.0) == 300 and not any(hours.values())
    refused = CliRunner().invoke(app, [*run, "--level", "850"])
    assert isinstance(refused.exception, InputError) and "--weather" in str(refused.exception)


def test_samples_of_a_day_have_no_wind_direction(tmp_path) -> None:
    with pytest.raises(InputError, match="every 24 h"):
        species_of(samples(tmp_path / "days.csv", "D"), "Zn", "ng m-3")
    with pytest.raises(InputError, match="species"):
        species_of(samples(tmp_path / "hours.csv"), "Pb", "ng m-3")
    assert species_of(samples(tmp_path / "bare.csv", wind=False), "Zn", "ng m-3")[1] is None
