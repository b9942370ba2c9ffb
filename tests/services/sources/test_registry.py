"""Sources by name: those shipped, and those of other distributions, by entry point."""

from __future__ import annotations

import sys
import tomllib
from datetime import UTC, datetime, timedelta

import pytest
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.places.cities import load_registry
from hazecast.services.core.settings import Settings
from hazecast.services.core.source_names import COMPOSITION_SOURCES, MONITOR_SOURCES, SHIPPED, WEATHER_SOURCES
from hazecast.services.sources import registry
from hazecast.services.work.ingest.ingest import ingest_live
from tests.support.paths import ROOT
from tests.support.settings import make_settings

NOW = datetime(2026, 1, 14, 9, 30, tzinfo=UTC)
CITIES = load_registry()
RULES = load_station_cities(CITIES)

MODULE = """
from datetime import timedelta

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER, describe
from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.quality import Reporting
from hazecast.services.sources.http import Traffic
from hazecast.services.sources.monitors.interface import Batch
from hazecast.services.sources.weather.interface import Cycle, with_provenance


class Bureau:
    name, kind, reporting = "bureau", "measurement", Reporting()

    def fetch(self, hours):
        batch = Batch()
        station = NetworkStation("bureau", "1", "Roof", "beijing", 39.9, 116.4)
        for number, hour in enumerate(hours):
            batch.add(station, hour, [("pm25", 40.0 + number, "ug/m3")])
        return batch

    def close(self):
        pass


class Model:
    name, attribution, lacks = "own_model", "the bureau", frozenset()

    def __init__(self):
        self.traffic = Traffic()

    def newest_cycle(self, before, wanted):
        return Cycle(self.name, before.replace(hour=0, minute=0))

    def fetch(self, cycle, wanted, scratch):
        start = np.datetime64(cycle.init_time.replace(tzinfo=None), "ns")
        times = start + np.arange(wanted.hours + 1) * np.timedelta64(1, "h")
        share = np.linspace(0.49, 0.51, len(times) * len(wanted.cities)).reshape(len(times), -1).astype(np.float32)
        middle = {name: v.low + share * (v.high - v.low) for name, v in WEATHER.items()}
        weather = xr.Dataset(
            {name: (("time", "city"), values) for name, values in middle.items()},
            coords={"time": times, "city": [city.id for city in wanted.cities]},
        )
        return with_provenance(describe(weather, "city_weather"), cycle, self.attribution, "The bureau's model")

    def close(self):
        pass


def bureau(settings, registry, rules, patience=None):
    return Bureau()


def model(settings, patience=None):
    return Model()
"""

ENTRY_POINTS = """
[hazecast.monitor_sources]
bureau = bureau_sources:bureau
broken = bureau_sources:absent
misnamed = bureau_sources:bureau

[hazecast.weather_sources]
own_model = bureau_sources:model
gfs = bureau_sources:model
"""


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Install a distribution that declares sources, as a wheel would."""
    folder = tmp_path / "site"
    info = folder / "bureau_sources-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bureau-sources\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "bureau_sources.py").write_text(MODULE)
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("bureau_sources", None)


def test_shipped_sources_are_those_of_the_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for group in (WEATHER_SOURCES, COMPOSITION_SOURCES, MONITOR_SOURCES):
        assert project["entry-points"][group] == SHIPPED[group]


@pytest.mark.parametrize("name", sorted(SHIPPED[WEATHER_SOURCES]))
def test_every_shipped_weather_source_is_made_by_its_name(name, tmp_path) -> None:
    source = registry.create_weather_source(name, make_settings(data_dir=tmp_path, weather_folder=tmp_path))
    assert source.name == name
    source.close()


@pytest.mark.parametrize("name", sorted(SHIPPED[COMPOSITION_SOURCES]))
def test_every_shipped_source_of_a_chemistry_model_is_made_by_its_name(name, tmp_path) -> None:
    source = registry.create_composition_source(name, make_settings(data_dir=tmp_path, ads_key="k"))
    assert source.name == name
    source.close()


@pytest.mark.parametrize("name", sorted(SHIPPED[MONITOR_SOURCES]))
def test_every_shipped_monitor_source_is_made_by_its_name(name, tmp_path) -> None:
    (tmp_path / "platform.db").touch()
    platform = {"sql_url": f"sqlite:///{tmp_path / 'platform.db'}", "sql_view": "v", "sql_folder": tmp_path}
    keys = dict.fromkeys(("openaq_key", "airkorea_key", "moenv_key"), "k")
    settings = make_settings(data_dir=tmp_path, monitor_dir=tmp_path, **keys, **platform)
    source = registry.create_monitor_source(name, settings, CITIES, RULES)
    assert source.name == name
    source.close()


def test_sources_of_another_distribution_serve_an_ingest(distribution, tmp_path) -> None:
    assert "own_model" in registry.weather_source_names() and "bureau" in registry.monitor_source_names()
    settings = make_settings(data_dir=tmp_path / "data", weather_sources="own_model", monitor_sources="bureau")
    report = ingest_live(settings, NOW)
    assert report.status == "done" and report.weather.path is not None
    with xr.open_dataset(report.weather.path) as weather:
        assert weather.attrs["source"] == "The bureau's model" and weather.attrs["attribution"] == "the bureau"
    assert report.observations.outcomes[0].new > 0
    assert report.observations.outcomes[0].newest == NOW - timedelta(minutes=30)


def test_what_cannot_be_used_is_named(distribution, tmp_path) -> None:
    with pytest.raises(InputError, match=r"weather_sources: found nope; expected one of ecmwf, .*own_model"):
        registry.create_weather_source("nope", Settings(data_dir=tmp_path))
    with pytest.raises(ValueError, match="weather_sources"):
        make_settings(data_dir=tmp_path, weather_sources="gfs,nope")
    settings = make_settings(data_dir=tmp_path, monitor_sources="broken,misnamed")
    with pytest.raises(InputError, match=r"broken: found AttributeError.*bureau_sources:absent to load"):
        registry.create_monitor_source("broken", settings, CITIES, RULES)
    with pytest.raises(InputError, match="misnamed: name: found bureau"):
        registry.create_monitor_source("misnamed", settings, CITIES, RULES)


def test_a_shipped_source_cannot_be_replaced(distribution, tmp_path) -> None:
    source = registry.create_weather_source("gfs", Settings(data_dir=tmp_path))
    assert type(source).__module__ == "hazecast.services.sources.weather.gfs"
    source.close()


def test_a_name_that_two_distributions_declare_is_refused(distribution, tmp_path) -> None:
    info = distribution / "second-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hazecast.monitor_sources]\nbureau = second:other\n")
    with pytest.raises(ValueError, match="declared once"):
        make_settings(data_dir=tmp_path, monitor_sources="bureau")
