"""Each weather source against a server that speaks its publisher's protocol."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np

from grids.cities import load_registry
from grids.contract import HISTORY_HOURS, LEAD_HOURS, WEATHER, check
from grids.sampling import at_cities
from services.sources.weather.ecmwf import EcmwfOpenData
from services.sources.weather.gfs import Gfs
from services.sources.weather.interface import HORIZON_HOURS, Wanted
from services.sources.weather.open_meteo import OpenMeteo
from tests.source_server import QUICK
from tests.weather_publishers import OpenMeteoServer, publish_ecmwf, publish_gfs, truth

CYCLE = datetime(2026, 11, 24, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 9, 20, tzinfo=UTC)
CITIES = tuple(load_registry().cities.values())
WANTED = Wanted(CITIES)


def check_against_truth(at_places, hours, cities=CITIES, absent=()) -> None:
    for name in WEATHER:
        if name in absent:
            assert name not in at_places
            continue
        for hour in hours:
            time = np.datetime64(CYCLE.replace(tzinfo=None), "ns") + np.timedelta64(hour, "h")
            found = at_places[name].sel(time=time).values
            expected = [truth(name, hour, city.latitude, city.longitude) for city in cities]
            np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-2, err_msg=f"{name} at {hour} h")


def test_gfs_from_the_bucket_to_the_cities(source_server, tmp_path) -> None:
    publish_gfs(source_server, CYCLE, HORIZON_HOURS)
    source = Gfs(source_server.url, QUICK)
    cycle = source.newest_cycle(NOW, WANTED)
    assert cycle.init_time == CYCLE and not cycle.late
    grid = check(source.fetch(cycle, WANTED, tmp_path), "weather_grid")
    assert grid["latitude"].min() >= 15 and grid["latitude"].max() <= 55
    assert grid["longitude"].min() >= 95 and grid["longitude"].max() <= 150
    assert grid.attrs["init_time"] == "2026-11-24T00:00:00Z" and grid.attrs["absent_variables"] == ""
    assert grid.sizes["time"] == HORIZON_HOURS // 3 + 1
    check_against_truth(at_cities(grid, CITIES), [3, 6, 9, 24, LEAD_HOURS])
    whole = sum(len(source_server.answer(seen).body) for seen in source_server.asked(".f003") if seen.method == "GET")
    assert 0 < whole < len(source_server._files["/gfs.20261124/00/atmos/gfs.t00z.pgrb2.0p25.f003"][0])


def test_ecmwf_from_its_files_to_the_cities(source_server, tmp_path) -> None:
    publish_ecmwf(source_server, CYCLE, HORIZON_HOURS)
    source = EcmwfOpenData(source_server.url, QUICK)
    cycle = source.newest_cycle(NOW, WANTED)
    assert cycle.init_time == CYCLE and not cycle.late
    grid = check(source.fetch(cycle, WANTED, tmp_path), "weather_grid")
    assert grid.attrs["absent_variables"] == "blh" and grid.attrs["unexpectedly_absent"] == ""
    assert "CC BY 4.0" in grid.attrs["attribution"]
    check_against_truth(at_cities(grid, CITIES), [3, 6, 24, LEAD_HOURS], absent=("blh",))


def test_open_meteo_to_the_cities(source_server, tmp_path) -> None:
    OpenMeteoServer(source_server, CYCLE)
    source = OpenMeteo(source_server.url, source_server.url, patience=QUICK)
    cycle = source.newest_cycle(NOW, WANTED)
    weather = check(source.fetch(cycle, WANTED, tmp_path), "city_weather")
    assert cycle.init_time == CYCLE and weather.attrs["init_time"] == "2026-11-24T00:00:00Z"
    assert weather.sizes["time"] == HISTORY_HOURS + HORIZON_HOURS + 1
    check_against_truth(weather, [-60, 0, 7, LEAD_HOURS])
    assert len(source_server.asked("/v1/forecast")) == -(-len(CITIES) // 50)


def test_open_meteo_archive(source_server) -> None:
    OpenMeteoServer(source_server, CYCLE)
    source = OpenMeteo(source_server.url, source_server.url, patience=QUICK)
    weather = check(source.archive(CITIES[:1], date(2026, 11, 24), date(2026, 11, 25)), "city_weather")
    assert weather.sizes == {"time": 48, "city": 1} and "init_time" not in weather.attrs
    check_against_truth(weather, [0, 47], CITIES[:1])
    assert source_server.asked("/v1/archive")[0].query["models"] == "era5"
