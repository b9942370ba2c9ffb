"""Published Datasets carry what CF 1.11 and ACDD 1.3 ask for; `make compliance` asks IOOS' checker."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.cf import encoding_of, published
from hazecast.grids.contract import check, describe
from hazecast.grids.places.cities import load_registry
from tests.support.forecasts import INIT, forecast_of

REGISTRY = load_registry()
CREATED = datetime(2013, 1, 11, 22, 5, tzinfo=UTC)
# ACDD 1.3, "highly recommended" and "recommended" global attributes that follow from the data.
GLOBAL = (
    "title", "summary", "keywords", "Conventions", "history", "source", "date_created", "standard_name_vocabulary",
    "geospatial_lat_min", "geospatial_lat_max", "geospatial_lon_min", "geospatial_lon_max", "geospatial_bounds",
    "geospatial_bounds_crs", "geospatial_vertical_min", "geospatial_vertical_max", "geospatial_vertical_positive",
    "time_coverage_start", "time_coverage_end", "time_coverage_duration", "time_coverage_resolution", "institution",
)  # fmt: skip


def written(dataset: xr.Dataset, path) -> xr.Dataset:
    dataset.to_netcdf(path, engine="netcdf4", encoding=encoding_of(dataset))
    with xr.open_dataset(path, decode_times=False) as found:
        return found.load()


@pytest.fixture
def forecast(tmp_path) -> xr.Dataset:
    """A forecast as it is published, with a model's state that stays inside, as its file holds it."""
    made = forecast_of(100.0, cities=["beijing", "tokyo"]).assign(state=("expert", [1.0, 2.0]))
    made = published(made, REGISTRY, about={"institution": "Bureau"}, created=CREATED, history="made")
    assert check(made, "forecast") is made and "state" not in made
    return written(made, tmp_path / "f.nc")


def test_global_attributes_are_those_of_acdd(forecast) -> None:
    assert [name for name in GLOBAL if name not in forecast.attrs] == []
    # CF 2.6.1 and 2.6.2.
    assert "CF-1.11" in forecast.attrs["Conventions"] and "ACDD-1.3" in forecast.attrs["Conventions"]
    assert forecast.attrs["history"] == "2013-01-11T22:05:00Z: made"
    assert forecast.attrs["time_coverage_duration"] == "PT120H"
    tokyo = REGISTRY.city("tokyo")
    south_east = (forecast.attrs["geospatial_lat_min"], forecast.attrs["geospatial_lon_max"])
    assert south_east == (tokyo.latitude, tokyo.longitude)


def test_coordinates_say_where_and_when(forecast) -> None:
    for name, units in (("latitude", "degrees_north"), ("longitude", "degrees_east")):  # CF 4.1, 4.2
        assert forecast[name].dims == ("city",)
        assert (forecast[name].attrs["units"], forecast[name].attrs["standard_name"]) == (units, name)
        assert "_FillValue" not in forecast[name].attrs  # CF 2.5.1
    time = forecast["valid_time"]
    assert time.attrs["standard_name"] == "time" and time.attrs["units"].startswith("hours since")  # CF 4.4
    hours = INIT.astype("datetime64[h]").astype(int) + np.arange(1, 121)
    assert time.values.tolist() == hours.tolist()
    bounds = forecast[time.attrs["bounds"]].values  # CF 7.1
    assert (bounds[:, 1] == hours).all() and (bounds[:, 0] == hours - 1).all()
    assert forecast["init_time"].attrs["standard_name"] == "forecast_reference_time"
    assert forecast["lead_time"].attrs["standard_name"] == "forecast_period"
    for name in ("pm25", "o3_mean"):
        assert set(forecast[name].encoding["coordinates"].split()) >= {
            "latitude",
            "longitude",
            "valid_time",
            "init_time",
        }  # CF 5
        assert forecast[name].attrs["cell_methods"] == "lead_time: mean"  # CF 7.3
        assert forecast[name].attrs["coverage_content_type"] == "modelResult"


def test_observations_have_flags_that_explain_themselves(tmp_path) -> None:
    hours = INIT + np.arange(24) * np.timedelta64(1, "h")
    flags = np.zeros((24, 1))
    flags[3] = np.nan
    given = describe(
        xr.Dataset(
            {"pm25": (("time", "city"), np.full((24, 1), 50.0)), "pm25_flag": (("time", "city"), flags)},
            {"time": hours, "city": ["beijing"]}, {"source": "test"},
        ),
        "observations",
    )  # fmt: skip
    made = published(given, REGISTRY, about={}, created=CREATED, history="read")
    found = written(made, tmp_path / "o.nc")
    flag = found["pm25_flag"]
    assert len(flag.attrs["flag_values"]) == len(flag.attrs["flag_meanings"].split())  # CF 3.5
    assert flag.attrs["standard_name"] == "status_flag"
    assert found.attrs["geospatial_bounds"].startswith("POINT (39.9")
    assert found["time"].attrs["bounds"] == "time_bounds" and found["pm25"].attrs["cell_methods"] == "time: mean"
