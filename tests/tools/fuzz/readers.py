"""The readers that are fuzzed: for each a whole file, and what reads it.

To add one, write a function that reads a path and one that writes a whole file, and register them
in READERS.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import check, describe
from hazecast.grids.observations.collections import OBSERVATIONS_FILE, read_observations
from hazecast.grids.observations.isd import read_isd
from hazecast.grids.observations.tables.folder import read_folder
from hazecast.grids.observations.tables.mapping import MAPPING_FILE
from hazecast.grids.observations.tables.stations import STATIONS_FILE
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.files import read_weather, read_weather_at_cities
from hazecast.models.checkpoint import load, save
from hazecast.models.files import CARD_FILE
from hazecast.models.zoo.network import Network
from hazecast.models.zoo.network_model import WEIGHTS_FILE, NetworkModel
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.core.weather_reading import read_files
from hazecast.services.sources.monitors.folder import batch_of
from hazecast.services.store.weather_archive import WeatherArchive
from tests.support.training_data import TINY
from tests.support.weather_samples import PLANE, bucket, write_era5, write_grib
from tests.tools.fuzz import collections as files
from tests.tools.fuzz import tables
from tests.tools.fuzz.fields import (
    write_grib1,
    write_lambert,
    write_packed,
    write_polar_grib,
    write_submessages,
    write_wind,
)

# How long a reader in a subprocess may take: also where it starts on a busy machine.
SECONDS = 120.0
BEIJING = load_registry().city("beijing")


@dataclass(frozen=True)
class Reader:
    """One reader under test.

    Attributes
    ----------
    file : str
        Name of the damaged file.
    seed : callable
        Writes a whole file to a path.
    read : callable
        Reads the file; raises InputError or checks what it got.
    text : bool
        Whether the file is text, with fields to exchange.
    beside : callable
        Puts what must lie beside the file there; called before `seed` and `read`.
    """

    file: str
    seed: Callable[[Path], object]
    read: Callable[[Path], object]
    text: bool = False
    beside: Callable[[Path], object] = lambda path: None


def _grib(path: Path, **keys: object) -> Path:
    messages = [{"shortName": "2t", "step": 1}, {"shortName": "sp", "step": 1}, bucket(0, 1), bucket(0, 2)]
    fields = [PLANE, PLANE * 300, PLANE - 250, PLANE - 240]
    return write_grib(path, [message | keys for message in messages], fields)


def _packed_grib(path: Path) -> Path:
    return _grib(path, packingType="grid_complex_spatial_differencing", bitsPerValue=16)


def _weather(path: Path) -> None:
    check(read_weather(path), "weather_grid")


def _city_weather(path: Path) -> None:
    # As a cycle reads it.
    check(run_in_subprocess(read_weather_at_cities, path, [BEIJING], where=str(path), seconds=SECONDS), "city_weather")


def _delivered(path: Path) -> None:
    # As the source "folder" reads it: the HDF5 library may never return from a damaged file.
    check(read_files(path, seconds=SECONDS), "weather_grid")


def _archived(path: Path) -> None:
    """Append to an archive that holds an hour; whatever comes, that hour stays and all is readable."""
    archive, held = WeatherArchive(path.parent / "archive"), _held()
    archive.append(held)
    long_ago, far_off = (datetime(year, 1, 1, tzinfo=UTC) for year in (1700, 2200))
    try:
        archive.append(read_files(path, seconds=SECONDS))
    finally:
        kept = archive.analyses(long_ago, far_off)
        xr.testing.assert_equal(kept.sel(time=held["time"])["t2m"], held["t2m"])


def _observations(path: Path) -> None:
    check(read_observations(path.parent, load_registry()).observations, "observations")


def _any_observations(path: Path) -> None:
    check(read_observations(path.parent, None).observations, "observations")


def _table(path: Path) -> None:
    """Read a folder of a bureau's tables for a forecast, and as the live source does."""
    registry = load_registry()
    check(read_observations(path.parent, registry).observations, "observations")
    for reading in batch_of(read_folder(path.parent, registry)).readings:
        assert reading.raw is None or math.isfinite(reading.raw)


def _sheet(path: Path) -> None:
    tables.write_book_around(path)
    _table(path)


def _station(path: Path) -> None:
    check(read_isd(path.parent).expand_dims(city=["x"], axis=1), "city_weather")


def _observations_in_subprocess(path: Path) -> None:
    data = run_in_subprocess(read_observations, path.parent, load_registry(), where=str(path), seconds=SECONDS)
    check(data.observations, "observations")


def _multisite(path: Path) -> None:
    header = "No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,PRES,DEWP,RAIN,wd,WSPM,station\n"
    rows = [
        f"{n + 1},2013,3,{n // 24 + 1},{n % 24},{4 + n % 7},{4 + n},{14 - n % 5},{20 + n},{400 + n},{'NA' if n == 5 else 69 + n},"
        f"{-0.5 + n / 10},{1021.1 - n / 10},{-21.4 + n / 20},0,{['N', 'NNW', 'E', 'SW'][n % 4]},{1 + n % 3},Dongsi\n"
        for n in range(36)
    ]
    path.write_text(header + "".join(rows))


def _five_cities(path: Path) -> None:
    header = "No,year,month,day,hour,season,PM_US Post,PM_Dongsi,DEWP,HUMI,PRES,TEMP,cbwd,Iws,precipitation,Iprec\n"
    rows = [
        f"{n + 1},2013,3,{n // 24 + 1},{n % 24},1,{50 + n},{'NA' if n < 5 else 60 + n},{-15 + n / 10},{40 + n / 5},"
        f"{1020 - n / 10},{-3 + n / 10},{['NW', 'NW', 'cv', 'SE'][n // 3 % 4]},{1.79 * (n % 3 + 1):.2f},0,0\n"
        for n in range(36)
    ]
    path.write_text(header + "".join(rows))


def _observations_nc(path: Path) -> None:
    times = np.datetime64("2014-02-20", "ns") + np.arange(40).astype("timedelta64[h]")
    values = 40 + np.random.default_rng(0).normal(0, 5, (40, 2)).astype(np.float32)
    dataset = xr.Dataset(
        {name: (("time", "city"), values) for name in ("pm25", "o3")},
        coords={"time": times, "city": ["beijing", "tokyo"]},
        attrs={"source": "fuzz"},
    )
    describe(dataset, "observations").to_netcdf(path, engine="netcdf4")


@cache
def _checkpoint() -> dict[str, bytes]:
    """A small network's files by name."""
    with tempfile.TemporaryDirectory() as folder:
        save(
            NetworkModel(network=Network(**TINY)),
            {"name": "fuzz", "period": ["2013-01-01", "2013-02-01"]},
            Path(folder),
        )
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _card(path: Path) -> None:
    path.with_name(CARD_FILE).write_bytes(_checkpoint()[CARD_FILE])


def _weights(path: Path) -> None:
    path.with_name(WEIGHTS_FILE).write_bytes(_checkpoint()[WEIGHTS_FILE])


@cache
def _held() -> xr.Dataset:
    with tempfile.TemporaryDirectory() as folder:
        return read_weather(write_era5(Path(folder) / "held.nc", hours=1))


def _model(path: Path) -> None:
    model, card = load(path.parent)
    assert isinstance(card, dict) and isinstance(model, NetworkModel) and model.network is not None


READERS: dict[str, Reader] = {
    "GRIB2 grid": Reader("weather.grib2", _grib, _weather),
    "GRIB2 at cities, complex packing": Reader("weather.grib2", _packed_grib, _city_weather),
    "GRIB1 grid": Reader("weather.grib", write_grib1, _weather),
    "GRIB2 submessages": Reader("weather.grib2", write_submessages, _weather),
    "GRIB2 in gzip": Reader("weather.grib2.gz", write_packed, _weather),
    "NetCDF 3, wind by direction": Reader("weather.nc", write_wind, _city_weather),
    "GRIB2 wind by direction": Reader("weather.grib2", write_polar_grib, _weather),
    "GRIB2 on a Lambert grid": Reader("weather.grib2", write_lambert, _weather),
    "ERA5 NetCDF": Reader("weather.nc", write_era5, _delivered),
    "NetCDF into the archive": Reader("weather.nc", lambda p: write_era5(p, new_layout=True, hours=3), _archived),
    "observations NetCDF": Reader(OBSERVATIONS_FILE, _observations_nc, _observations_in_subprocess),
    "beijing-multisite CSV": Reader("dongsi.csv", _multisite, _observations, text=True),
    "five-cities CSV": Reader("beijing.csv", _five_cities, _observations, text=True),
    "US posts CSV": Reader("posts.csv", files.write_us_posts, _any_observations, text=True),
    "Hong Kong CSV": Reader("central.csv", files.write_hong_kong, _any_observations, text=True),
    "Seoul CSV": Reader("seoul.csv", files.write_seoul, _any_observations, text=True),
    "Taiwan CSV": Reader("kinmen.csv", files.write_taiwan, _any_observations, text=True),
    "Taiwan CSV as published": Reader("puzi.csv", files.write_taiwan_as_published, _any_observations, text=True),
    "ISD records": Reader("545110.gz", files.write_isd, _station, text=True),
    "bureau CSV": Reader("a.csv", tables.write_csv, _table, text=True, beside=tables.stations_beside),
    "bureau CSV, mapped": Reader("a.csv", tables.write_csv, _table, text=True, beside=tables.mapping_beside),
    "bureau stations": Reader(STATIONS_FILE, tables.stations_beside, _table, text=True, beside=tables.table_beside),
    "bureau gzip": Reader("a.csv.gz", tables.write_gzip, _table, beside=tables.stations_beside),
    "bureau Excel": Reader("a.xlsx", tables.write_excel, _table, beside=tables.stations_beside),
    "bureau Excel, its sheet": Reader("sheet.xml", tables.write_sheet, _sheet, beside=tables.stations_beside),
    "bureau page": Reader("a.xls", tables.write_page, _table, text=True, beside=tables.stations_beside),
    "bureau JSON": Reader("a.json", tables.write_json, _table, text=True, beside=tables.stations_beside),
    "bureau Parquet": Reader("a.parquet", tables.write_parquet, _table, beside=tables.stations_beside),
    "bureau mapping": Reader(MAPPING_FILE, tables.write_mapping, _table, text=True, beside=tables.table_beside),
    "model card JSON": Reader(CARD_FILE, _card, _model, text=True, beside=_weights),
    "weights": Reader(WEIGHTS_FILE, _weights, _model, beside=_card),
}
