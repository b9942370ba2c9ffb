"""What the documents' commands read besides small tables: weather, trajectories, a bureau's own tables, a trained model."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from tests.support.doc_blocks import Block
from tests.support.doc_tables import TABLES
from tests.support.paths import ROOT
from tests.support.source_server import SourceServer

Maker = Callable[[Path], object]
_CITIES = {"beijing": (39.904, 116.407), "shanghai": (31.230, 121.474)}
# The one trained for evaluation, as a folder; and an installation's own, by its id.
SHIPPED_MODEL = "models/weights/network-2019-12-31-20130112-a8826d78"
OWN_MODEL = "network-2025-12-31-7-0a1b2c3d"
_HOUR = np.timedelta64(1, "h")


def weather_file(path: Path) -> None:
    """Write GRIB2 of GFS, global by 5 degrees, issued 10 h before the run that is stored."""
    from tests.support.weather_publishers import gfs_file

    issued = datetime(2013, 1, 11, 12, tzinfo=UTC)
    path.write_bytes(b"".join(gfs_file(issued, step)[0] for step in range(0, 133, 3)))


def surface_wind(path: Path) -> None:
    """Write 36 days of January 2014 of wind over eastern China that turns."""
    from hazecast.forecast.studies.wind.cases import turning_wind

    wind = turning_wind(36, 3)
    wind.assign_coords(time=wind["time"] - np.timedelta64(365, "D")).to_netcdf(path)


def level_wind(year: int, days: int, every: int) -> Maker:
    """Return a maker of wind at 925 and 850 hPa in ERA5's layout, by hours, that turns in five days."""

    def make(path: Path) -> None:
        time = np.datetime64(f"{year}-01-01T00", "ns") + np.arange(0, 24 * days, every) * _HOUR
        angle = 2 * np.pi * np.arange(time.size) * every / 120
        shape = (time.size, 2, 15, 13)
        blowing = {"u": 7 * np.cos(angle), "v": 7 * np.sin(angle)}
        names = {"u": "eastward_wind", "v": "northward_wind"}
        dims = ("valid_time", "pressure_level", "latitude", "longitude")
        xr.Dataset(
            {
                name: (dims, np.broadcast_to(values[:, None, None, None], shape).astype(np.float32),
                       {"units": "m s**-1", "standard_name": names[name]})
                for name, values in blowing.items()
            },
            coords={
                "valid_time": time,
                "pressure_level": ("pressure_level", [925.0, 850.0], {"units": "hPa"}),
                "latitude": ("latitude", np.linspace(46.0, 18.0, 15), {"units": "degrees_north"}),
                "longitude": ("longitude", np.linspace(105.0, 129.0, 13), {"units": "degrees_east"}),
            },
        ).to_netcdf(path)  # fmt: skip

    return make


def endpoints(city: str, days: int = 40, every: int = 6) -> Maker:
    """Return a maker of a folder of HYSPLIT's files, one: paths of 24 h that end in a city in January and February 2014."""

    def make(path: Path) -> None:
        latitude, longitude = _CITIES[city]
        starts = pd.date_range("2014-01-02", periods=days * 24 // every, freq=f"{every}h")
        head = ["     1     1", "    CDC1    14     1     1     0     0", f"{len(starts):6d} BACKWARD OMEGA   "]
        head += [_stamp(t) + f"{latitude:9.3f}{longitude:9.3f}{500:8.1f}" for t in starts]
        rows = []
        for age in range(25):
            for number, start in enumerate(starts, 1):
                angle = 2 * np.pi * number * every / 110
                north, east = latitude + 0.15 * age * np.sin(angle), longitude + 0.17 * age * np.cos(angle)
                at = start - pd.Timedelta(hours=age)
                rows.append(
                    f"{number:6d}{1:6d}{_stamp(at)}{0:6d}{0:6d}{-age:8.1f}{north:9.3f}{east:9.3f}{500:8.1f}{950:9.1f}"
                )
        path.mkdir()
        (path / "tdump").write_text("\n".join([*head, "     1 PRESSURE", *rows]) + "\n")

    return make


def _stamp(at: pd.Timestamp) -> str:
    return f"{at.year % 100:6d}{at.month:6d}{at.day:6d}{at.hour:6d}"


def elements(path: Path) -> None:
    """Write hours of zinc and lead of the days of `endpoints`, ng m-3."""
    random = np.random.default_rng(6)
    when = pd.date_range("2014-01-02", periods=160, freq="6h", tz="UTC")
    table = pd.DataFrame({"Zn": random.lognormal(4, 0.4, 160), "Pb": random.lognormal(3, 0.4, 160)}, index=when)
    table.to_csv(path, index_label="time")


def year_of_filters(path: Path) -> None:
    """Write a filter each third day of 2025, ng m-3."""
    random = np.random.default_rng(6)
    days = pd.date_range("2025-01-03", "2025-12-29", freq="3D")
    ends = days + pd.Timedelta(days=1)
    table = pd.DataFrame({"start": days.strftime("%Y-%m-%dT%H:%MZ"), "end": ends.strftime("%Y-%m-%dT%H:%MZ")})
    table["Zn"] = random.lognormal(4, 0.4, len(days))
    table.to_csv(path, index_label="filter")


def own_tables(folder: Path) -> None:
    """Write a bureau's own tables: four months of 2026 by rows, and a column a station."""
    folder.mkdir()
    (folder / "stations.csv").write_text("code,name,city\nA1,Alpha,beijing\nB2,Beta,beijing\n", encoding="utf-8")
    hours = pd.date_range("2026-01-01", periods=24 * 120, freq="h")
    day = 60 + 30 * np.sin(2 * np.pi * np.arange(len(hours)) / 24) + np.random.default_rng(3).normal(0, 4, len(hours))
    stamps = hours.strftime("%Y-%m-%d %H:%M")
    rows = [f"{code},{t},{v:.1f}" for code in ("A1", "B2") for t, v in zip(stamps, day, strict=True)]
    (folder / "a.csv").write_text("\n".join(["站点编号,时间,PM2.5", *rows]) + "\n", encoding="gbk")
    wide = [f"{t},{v:.1f},{v + 3:.1f}" for t, v in zip(stamps[:240], day, strict=False)]
    (folder / "wide.csv").write_text("\n".join(["time,A1,B2", *wide]) + "\n", encoding="utf-8")


def trained(folder: Path) -> None:
    """Put a trained network there, as one of an installation's own, and its scores beside."""
    shutil.copytree(ROOT / SHIPPED_MODEL, folder)
    card = folder / "model_card.json"
    made = json.loads(card.read_text(encoding="utf-8"))
    made["model_id"] = OWN_MODEL
    card.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")


def scores(path: Path) -> None:
    """Write what a backtest writes, in short."""
    found = {"meta": {"weather": "none"}, "models": {"network": {"pm25": {"rmse": {"1": 9.0}}}}}
    path.write_text(json.dumps(found), encoding="utf-8")


def body_of_sources(path: Path) -> None:
    """Write what a study of sources is asked with."""
    from hazecast.services.web.study_examples import BODIES

    path.write_text(json.dumps(BODIES["sources"]), encoding="utf-8")


def draft(data: Path, init: datetime) -> None:
    """Draft haze signals of a run for a person to decide, each as it follows on what is in force."""
    from hazecast.alerts.engine.lifecycle import advance
    from hazecast.alerts.rules.book import RuleBook
    from hazecast.services.store.drafts import save_drafts
    from hazecast.services.store.store import Store
    from tests.support.settings import make_settings
    from tests.support.warning_cases import assessed

    rules = RuleBook.shipped().rule_set("cma_haze")
    cities = ("beijing", "tianjin", "shijiazhuang")
    store = Store(make_settings(data_dir=data).database_url)
    in_force = [one for one in store.warnings_in_force(init, False) if one.rule_set == rules.id]
    found = [assessed(rules, city, init, (0.9, 0.0 if city == "tianjin" else 0.8, 0.0)) for city in cities]
    proposals = advance([one for one in in_force if one.city in cities], found, init, ruleset=rules)
    with store.sessions.begin() as session:
        save_drafts(session, proposals, {(rules.id, city) for city in cities}, init, False, at=init)
    store.close()


def published(server: SourceServer, tables: Path) -> dict[str, str]:
    """Have the publishers whose data need no key, and OpenAQ, play on a local server; return the settings that name it."""
    from tests.support.composition_publishers import dusty_air
    from tests.support.monitor_publishers import openaq, write_csv_folder
    from tests.support.weather_publishers import OpenMeteoServer

    OpenMeteoServer(server, datetime(2013, 1, 11, 12, tzinfo=UTC))
    server.route("/v1/air-quality", dusty_air)
    settings = {name.upper(): str(value) for name, value in openaq(server).settings.items()}
    names = ("OPEN_METEO_URL", "OPEN_METEO_RUNS_URL", "OPEN_METEO_AIR_URL", "GFS_URL", "ADS_URL")
    settings |= dict.fromkeys(names, server.url) | {"MONITOR_DIR": str(write_csv_folder(tables))}
    return {f"HAZECAST_{name}": value for name, value in settings.items()}


# By the name of the file in the block; where a document means another by it, by both.
_INPUTS: dict[str, Maker] = {
    "weather.grib2": weather_file,
    "era5.nc": surface_wind,
    "data/training": trained,
    "scores.json": scores,
    "body.json": body_of_sources,
    "wind/xrf.csv": elements,
    "wind/filters.csv": year_of_filters,
    "tables/DIR": own_tables,
    "models/DIR": own_tables,
}


def inputs_of(block: Block) -> dict[str, Maker]:
    """Return the files and folders that a block reads, by the names it gives them, each with its maker."""
    known = TABLES | _INPUTS
    name = block.document.stem
    found = {}
    for word in dict.fromkeys(re.findall(r"[\w./-]+", block.text)):
        file = "DIR" if word.startswith("DIR/") else word
        maker = known.get(f"{name}/{file}") or known.get(file)
        if maker is not None:
            found[file] = maker
    if "TDUMPS" in block.text:
        found["TDUMPS"] = endpoints("shanghai" if "provinces" in block.text else "beijing")
    if "levels.nc" in block.text:
        found["levels.nc"] = level_wind(2025, 365, 3) if "2025" in block.text else level_wind(2014, 40, 1)
    return found
