"""ERA5 by jobs of the Climate Data Store: what is stored of its answers, and what is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from hazecast.grids.contract import WEATHER
from hazecast.grids.weather.files import read_weather
from hazecast.grids.weather.regular_grid import EAST_ASIA
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.weather.era5 import Era5
from tests.support.source_server import QUICK
from tests.support.weather_publishers import ClimateStore, era5_month


def test_era5_by_a_job_of_the_climate_store(source_server, tmp_path, closed_after) -> None:
    store = ClimateStore(source_server, "token", era5_month)
    store.polls_until_done = 1
    source = closed_after(Era5("token", source_server.url + "/api", QUICK))
    source_server.fail(path="object-store", keep=0.5)
    paths = source.fetch_month(2014, 2, EAST_ASIA, tmp_path)
    assert [p.name for p in paths] == ["era5-2014-02-instant.nc", "era5-2014-02-accum.nc"]
    assert store.requests[0]["area"] == [55.0, 95.0, 15.0, 150.0] and len(store.requests[0]["day"]) == 28
    assert "boundary_layer_height" in store.requests[0]["variable"]
    assert source_server.asked("object-store")[1].headers["range"].startswith("bytes=")
    grid = read_weather(tmp_path)
    assert set(WEATHER) <= set(grid.data_vars) and grid.sizes["time"] == 28 * 24
    assert source.fetch_month(2014, 2, EAST_ASIA, tmp_path) == paths and len(store.requests) == 2


def test_faults_of_the_climate_store_are_named(source_server, tmp_path, closed_after) -> None:
    store = ClimateStore(source_server, "token", era5_month)
    url = source_server.url + "/api"

    def fails(message: str, key: str = "token") -> None:
        with pytest.raises(FetchError) as caught:
            closed_after(Era5(key, url, QUICK)).fetch_month(2014, 2, EAST_ASIA, tmp_path)
        assert message in str(caught.value) and "found" in str(caught.value) and "token2" not in str(caught.value)
        assert not list(tmp_path.glob("*.nc"))

    fails("Authentication failed", key="token2")
    store.outcome = "failed"
    fails("cost limits exceeded")
    store.outcome = "successful"
    store.content = lambda request: b"PK\x03\x04 a zip"
    fails("a NetCDF file")
    store.content = era5_month
    source_server.fail(path="object-store", status=503, times=99)
    fails("HTTP 503")
    source_server.stop()
    fails("ConnectionError")


def without_hours(fields, hours):
    return fields.isel(valid_time=np.setdiff1d(np.arange(fields.sizes["valid_time"]), hours))


ERA5_FAULTS = {
    "a variable less": (lambda f: f.drop_vars("d2m", errors="ignore"), "variables: found no d2m; expected t2m, d2m, u10"),
    "a variable without values": (lambda f: f.assign(t2m=f["t2m"] * np.nan), "variables: found no t2m"),
    "other days": (
        lambda f: f.assign_coords(valid_time=f["valid_time"] + np.timedelta64(31, "D")),
        "time: found 672 hours from 2014-03-04T00:00:00.000000000",
    ),
    "a hole": (lambda f: without_hours(f, [100]), "time: found 671 hours from 2014-02-01T00:00:00.000000000"),
    "a beginning less": (lambda f: without_hours(f, np.arange(24)), "expected every hour from 2014-02-01"),
    "another area": (
        lambda f: f.sel(latitude=slice(55, 30)),
        "latitude: found 30 to 55 degrees; expected 15 to 55 degrees, as asked for",
    ),
    "one value": (lambda f: f.assign(t2m=f["t2m"] * 0 + np.float32(280)), "t2m: found 280 K at all 108 places and times"),
    "damper than saturated": (lambda f: f.assign(d2m=f["t2m"] + np.float32(3)), "d2m: found 72576 of 72576 values more than 1 K"),
}  # fmt: skip


@pytest.mark.parametrize("fault", ERA5_FAULTS)
def test_a_month_of_era5_that_is_another_than_asked_for_is_not_stored(
    source_server, tmp_path, closed_after, fault
) -> None:
    change, message = ERA5_FAULTS[fault]
    ClimateStore(source_server, "token", lambda request: era5_month(request, change))
    with pytest.raises(FetchError) as caught:
        closed_after(Era5("token", source_server.url + "/api", QUICK)).fetch_month(2014, 2, EAST_ASIA, tmp_path)
    assert message in str(caught.value) and not list(tmp_path.iterdir())


def test_a_month_of_era5_that_was_not_over_is_fetched_again_when_more_is_asked_for(
    source_server, tmp_path, closed_after
) -> None:
    store = ClimateStore(
        source_server, "token", lambda request: era5_month(request, lambda f: without_hours(f, np.arange(480, 672)))
    )
    source = closed_after(Era5("token", source_server.url + "/api", QUICK))
    ends, later = (datetime(2014, 2, day, 23, tzinfo=UTC) for day in (20, 21))
    for until, jobs in ((ends, 2), (ends, 2), (later, 4)):
        source.fetch_month(2014, 2, EAST_ASIA, tmp_path, until)
        assert len(store.requests) == jobs and read_weather(tmp_path).sizes["time"] == 480
    store.content = era5_month
    source.fetch_month(2014, 2, EAST_ASIA, tmp_path)
    assert read_weather(tmp_path).sizes["time"] == 672 and len(list(tmp_path.iterdir())) == 2
