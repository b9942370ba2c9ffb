"""The publishers of CAMS, played by a local server: Open-Meteo's air quality, and files of the Atmosphere Data Store."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from hazecast.grids.composition import composition_of
from tests.support.source_server import Reply, Seen, SourceServer, json_reply

LAT, LON = np.arange(55.0, 14.9, -5.0), np.arange(95.0, 150.1, 5.0)


def pm25_at(hour: Any, latitude: Any, longitude: Any) -> Any:
    """PM2.5 of a run at a place, ug m-3, linear in space."""
    return 10.0 + 0.5 * latitude + 0.2 * longitude + 0.1 * hour


def ozone_at(hour: Any, latitude: Any, longitude: Any) -> Any:
    """Ozone of a run at a place, mass mixing ratio, kg kg-1."""
    return 1e-8 * (2.0 + 0.02 * latitude + 0.01 * longitude + 0.02 * hour)


def run_of(
    init_time: datetime, value: float, retrieved_at: datetime, cities: tuple[str, ...] = ("beijing",)
) -> xr.Dataset:
    """A run as it is stored, whose every concentration is `value`."""
    start, values = np.datetime64(init_time.replace(tzinfo=None), "ns"), np.full((121, len(cities)), value)
    hours = start + np.arange(121) * np.timedelta64(1, "h")
    made = composition_of({"pm25": values, "o3": values}, hours, cities, start, "CAMS")
    return made.assign_attrs(retrieved_at=retrieved_at.isoformat(), late=0)


class CamsServer:
    """Open-Meteo's air quality and its metadata; `change` may alter each location's answer."""

    def __init__(self, server: SourceServer, run: datetime) -> None:
        self.run, self.served_since = run, run + timedelta(hours=10, minutes=16)
        self.change: Callable[[dict], None] = lambda place: None
        server.route("/data/cams_global/static/meta.json", self._meta)
        server.route("/v1/air-quality", self._answer)

    def _meta(self, seen: Seen) -> Reply:
        return json_reply({
            "last_run_initialisation_time": int(self.run.timestamp()),
            "last_run_availability_time": int(self.served_since.timestamp()),
            "temporal_resolution_seconds": 3600,
            "update_interval_seconds": 43_200,
        })  # fmt: skip

    def _answer(self, seen: Seen) -> Reply:
        first, last = (datetime.fromisoformat(seen.query[k]).replace(tzinfo=UTC) for k in ("start_hour", "end_hour"))
        if seen.query["hourly"] != "pm2_5,ozone" or seen.query["domains"] != "cams_global":
            return json_reply({"error": True, "reason": "Data corrupted at path ''."}, 400)
        hours = np.arange(int((last - first) / timedelta(hours=1)) + 1)
        offset = (first - self.run) / timedelta(hours=1)
        places = []
        for latitude, longitude in zip(*(seen.query[k].split(",") for k in ("latitude", "longitude")), strict=True):
            at = hours + offset, float(latitude), float(longitude)
            place = {
                "latitude": round(at[1], 1), "longitude": round(at[2], 1), "elevation": 20.0, "timezone": "GMT",
                "hourly_units": {"time": "unixtime", "pm2_5": "μg/m³", "ozone": "μg/m³"},
                "hourly": {
                    "time": [int(first.timestamp()) + 3600 * int(h) for h in hours],
                    "pm2_5": pm25_at(*at).round(4).tolist(),
                    # The publisher's own density of air.
                    "ozone": (ozone_at(*at) * 1e9 * 1.223803).round(4).tolist(),
                },
            }  # fmt: skip
            self.change(place)
            places.append(place)
        return json_reply(places if len(places) > 1 else places[0])


def write_ads(
    path: Path, run: datetime, hours: np.ndarray, variable: str, *, units: str | None = None, level: int | None = None
) -> Path:
    """A file as the Atmosphere Data Store writes it: forecast_period x forecast_reference_time, latitude descending."""
    values = {"pm2p5": (pm25_at, 1e-9, "kg m**-3"), "go3": (ozone_at, 1.0, "kg kg**-1")}[variable]
    with netCDF4.Dataset(path, "w") as file:
        dims = [
            "forecast_period",
            "forecast_reference_time",
            *(["model_level"] if level else []),
            "latitude",
            "longitude",
        ]
        sizes = {"forecast_period": len(hours), "latitude": LAT.size, "longitude": LON.size}
        for dim in dims:
            file.createDimension(dim, sizes.get(dim, 1))
        period = file.createVariable("forecast_period", "f8", ("forecast_period",))
        period.units, period.standard_name = "hours", "forecast_period"
        period[:] = hours
        issued = file.createVariable("forecast_reference_time", "i8", ("forecast_reference_time",))
        issued.units, issued.calendar = "seconds since 1970-01-01", "proleptic_gregorian"
        issued[:] = [int(run.timestamp())]
        file.createVariable("latitude", "f8", ("latitude",))[:] = LAT
        file.createVariable("longitude", "f8", ("longitude",))[:] = LON
        if level:
            file.createVariable("model_level", "f8", ("model_level",))[:] = [level]
        field = file.createVariable(variable, "f4", dims, fill_value=np.float32(3.4028235e38))
        field.units = units or values[2]
        grid = values[0](hours[:, None, None], LAT[:, None], LON[None]) * values[1]
        field[:] = grid.reshape(field.shape)
    return path


def ads_content(run: datetime) -> Callable[[dict], bytes]:
    """What the Atmosphere Data Store answers to a request: a zip archive of one file."""

    def content(request: dict) -> bytes:
        variable = "pm2p5" if request["variable"] == ["particulate_matter_2.5um"] else "go3"
        name, level = ("data_sfc.nc", None) if variable == "pm2p5" else ("data_mlev.nc", int(request["model_level"][0]))
        hours, body = np.array(request["leadtime_hour"], float), BytesIO()
        with TemporaryDirectory() as folder, zipfile.ZipFile(body, "w") as archive:
            archive.write(write_ads(Path(folder) / name, run, hours, variable, level=level), name)
        return body.getvalue()

    return content


def dusty_air(seen: Seen) -> Reply:
    """Open-Meteo's air quality: the same air at every place asked for."""
    start, end = (datetime.fromisoformat(seen.query[edge]).replace(tzinfo=UTC) for edge in ("start_hour", "end_hour"))
    hours = [
        int((start + timedelta(hours=n)).timestamp()) for n in range(int((end - start).total_seconds() // 3600) + 1)
    ]
    names = ("pm2_5", "pm10", "ozone", "nitrogen_dioxide", "sulphur_dioxide", "carbon_monoxide")
    bodies = [
        {
            "latitude": float(latitude), "longitude": float(longitude), "generationtime_ms": 0.1, "utc_offset_seconds": 0,
            "timezone": "GMT", "elevation": 40.0, "hourly_units": {"time": "unixtime"} | dict.fromkeys(names, "μg/m³"),
            "hourly": {"time": hours} | {name: [60.0 + n % 24 for n in range(len(hours))] for name in names},
        }
        for latitude, longitude in zip(seen.query["latitude"].split(","), seen.query["longitude"].split(","), strict=True)
    ]  # fmt: skip
    return json_reply(bodies if len(bodies) > 1 else bodies[0])
