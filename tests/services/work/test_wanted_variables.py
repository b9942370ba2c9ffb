"""Only weather that is read is fetched: by the model in service, by warnings, and all of it for training."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from hazecast.grids.contract import WEATHER
from hazecast.grids.places.cities import load_registry
from hazecast.models.trained import newest_shipped
from hazecast.services.sources.weather.ecmwf import EcmwfOpenData
from hazecast.services.sources.weather.gfs import Gfs
from hazecast.services.sources.weather.interface import Wanted, WeatherSource
from hazecast.services.sources.weather.open_meteo import OpenMeteo
from hazecast.services.work.ingest.variables import used_by_model, variables_for, wanted_variables
from tests.support.settings import make_settings
from tests.support.source_server import QUICK
from tests.support.weather_publishers import OpenMeteoServer, publish_ecmwf, publish_gfs

CYCLE = datetime(2026, 11, 24, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 9, 20, tzinfo=UTC)
USED = wanted_variables(used_by_model(newest_shipped().card))
WANTED = Wanted(tuple(load_registry().cities.values())[:3], hours=3, variables=USED)


def test_what_the_shipped_model_and_warnings_read() -> None:
    assert set(USED) == set(WEATHER) - {"tcc", "ssrd"}
    assert wanted_variables([], everything=True) == tuple(WEATHER)
    # A model that doesn't say may read anything.
    assert used_by_model({}) == used_by_model({"features": "all"}) == tuple(WEATHER)
    assert wanted_variables(["ssrd"]) == ("t2m", "d2m", "u10", "v10", "blh", "ssrd")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, USED), ({"weather_variables": "all"}, tuple(WEATHER)), ({"retrain": "register"}, tuple(WEATHER))],
)
def test_a_setting_and_retraining_keep_all(given, wanted, tmp_path) -> None:
    assert variables_for(make_settings(data_dir=tmp_path, **given)) == wanted


def test_a_broken_model_fetches_all(tmp_path) -> None:
    settings = make_settings(data_dir=tmp_path)
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    (settings.models_dir / "in_service.json").write_text("{", encoding="utf-8")
    assert variables_for(settings) == tuple(WEATHER)


@pytest.mark.parametrize("name", ["gfs", "ecmwf", "open_meteo"])
def test_each_source_asks_for_what_is_wanted_alone(name, source_server, tmp_path, closed_after) -> None:
    source: WeatherSource
    # The analysis alone, which has no totals, tells as much of GFS in a fraction of the time.
    wanted = replace(WANTED, hours=0) if name == "gfs" else WANTED
    if name == "gfs":
        publish_gfs(source_server, CYCLE, wanted.hours)
        source = closed_after(Gfs(source_server.url, QUICK))
    elif name == "ecmwf":
        publish_ecmwf(source_server, CYCLE, WANTED.hours)
        source = closed_after(EcmwfOpenData(source_server.url, QUICK))
    else:
        OpenMeteoServer(source_server, CYCLE)
        source = closed_after(OpenMeteo(source_server.url, source_server.url, patience=QUICK))
    dataset = source.fetch(source.newest_cycle(NOW, wanted), wanted, tmp_path)
    assert {n for n in WEATHER if n in dataset} == set(USED) - source.lacks - ({"tp"} if name == "gfs" else set())
    assert dataset.attrs["unexpectedly_absent"] == ""
    assert all(np.isfinite(dataset[n]).any() for n in USED if n in dataset)


def test_open_meteo_is_asked_for_what_a_variable_is_made_of(source_server, tmp_path, closed_after) -> None:
    OpenMeteoServer(source_server, CYCLE)
    source = closed_after(OpenMeteo(source_server.url, source_server.url, patience=QUICK))
    for variables, fields in (
        (("t2m",), "temperature_2m"),
        (("d2m",), "temperature_2m,dew_point_2m,relative_humidity_2m"),
        (("u10",), "wind_speed_10m,wind_direction_10m"),
    ):
        wanted = replace(WANTED, variables=variables)
        dataset = source.fetch(source.newest_cycle(NOW, wanted), wanted, tmp_path)
        assert source_server.asked("/v1/forecast")[-1].query["hourly"] == fields
        assert {n for n in WEATHER if n in dataset} == set(variables)
