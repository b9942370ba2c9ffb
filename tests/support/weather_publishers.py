"""The publishers of weather, played by a local server: their paths, indices, layouts and protocols.

GRIB2 is written through eccodes with the keys of the real files, on a global grid of 5 degrees.
Every field is a plane in latitude and longitude, so that bilinear sampling must return it exactly.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import xarray as xr

from hazecast.grids.weather.codec import eccodes
from tests.support.source_server import Reply, Seen, SourceServer, json_reply

LAT, LON = np.arange(90.0, -90.1, -5.0), np.arange(0.0, 360.0, 5.0)
STEP = 3
Field = np.ndarray


def plane(low: float, latitude: float = 0.0, longitude: float = 0.0) -> Field:
    """A field (latitude, longitude) that is linear in both."""
    return low + latitude * LAT[:, None] + longitude * LON[None] + np.zeros((LAT.size, LON.size))


def truth(name: str, hour: Any, latitude: float, longitude: float) -> Any:
    """The value of a contract variable at a place, `hour` after the init time (a multiple of 3).

    Rates are those of the 3 h that end then.
    """
    low, by_latitude, by_longitude, by_hour = TRUTH[name]
    return low + by_latitude * latitude + by_longitude * longitude + by_hour * hour


TRUTH = {
    "t2m": (270.0, 0.1, 0.01, 0.02),
    "d2m": (262.0, 0.1, 0.01, 0.02),
    "u10": (-3.0, 0.02, 0.01, 0.01),
    "v10": (2.0, 0.02, -0.01, 0.01),
    "sp": (95_000.0, 10.0, 2.0, 1.0),
    "blh": (600.0, 2.0, 0.5, 3.0),
    "tcc": (0.3, 0.001, 0.0005, 0.0),
    "tp": (0.5, 0.002, 0.0005, 0.002),
    "ssrd": (150.0, 0.5, 0.1, 0.5),
}
# Discipline, category, number, type of level, height.
_CODES = {
    "t2m": (0, 0, 0, 103, 2),
    "d2m": (0, 0, 6, 103, 2),
    "u10": (0, 2, 2, 103, 10),
    "v10": (0, 2, 3, 103, 10),
    "sp": (0, 3, 0, 1, None),
    "blh": (0, 3, 196, 1, None),
    "tcc": (0, 6, 1, 10, None),
    "tp": (0, 1, 8, 1, None),
    "ssrd": (0, 4, 192, 1, None),
    "prmsl": (0, 3, 1, 101, None),
    "rh": (0, 1, 1, 103, 2),
}


def _field(name: str, hour: int) -> Field:
    low, by_latitude, by_longitude, by_hour = TRUTH[name]
    return plane(low + by_hour * hour, by_latitude, by_longitude)


def _total(name: str, start: int, end: int) -> Field:
    """Sum over the hours from `start` to `end` of a rate that holds for 3 h at a time."""
    return sum((STEP * _field(name, hour) for hour in range(start + STEP, end + 1, STEP)), plane(0.0))


def _message(init_time: datetime, values: Field, keys: dict[str, object]) -> bytes:
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    grid = {
        "Ni": LON.size, "Nj": LAT.size, "dataDate": int(f"{init_time:%Y%m%d}"), "dataTime": init_time.hour * 100,
        "latitudeOfFirstGridPointInDegrees": 90.0, "latitudeOfLastGridPointInDegrees": -90.0,
        "longitudeOfFirstGridPointInDegrees": 0.0, "longitudeOfLastGridPointInDegrees": 355.0,
        "iDirectionIncrementInDegrees": 5.0, "jDirectionIncrementInDegrees": 5.0,
    }  # fmt: skip
    for key, value in (grid | keys).items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set(handle, "packingType", "grid_complex_spatial_differencing")
    eccodes.codes_set(handle, "bitsPerValue", 20)
    eccodes.codes_set_values(handle, values.ravel())
    message: bytes = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return message


def _gfs_keys(name: str, step: int, span: tuple[int, int] | None, statistic: int | None) -> dict[str, object]:
    discipline, category, number, level, height = _CODES[name]
    keys: dict[str, object] = {
        "centre": "kwbc",
        "generatingProcessIdentifier": 96,
        "tablesVersion": 2,
        "localTablesVersion": 1,
    }
    if span is not None:
        keys |= {"productDefinitionTemplateNumber": 8, "typeOfStatisticalProcessing": statistic}
    keys |= {"discipline": discipline, "parameterCategory": category, "parameterNumber": number}
    keys |= {"typeOfFirstFixedSurface": level}
    if height is not None:
        keys |= {"scaleFactorOfFirstFixedSurface": 0, "scaledValueOfFirstFixedSurface": height}
    if span is None:
        return keys | {"step": step}
    return keys | {"stepType": "accum" if statistic == 1 else "avg", "stepRange": f"{span[0]}-{span[1]}"}


@cache
def gfs_file(init_time: datetime, step: int) -> tuple[bytes, str]:
    """A step's file in the order of NOAA's, with records that aren't wanted, and its index."""
    now = "anl" if step == 0 else f"{step} hour fcst"
    records: list[tuple[str, str, bytes]] = []

    def add(text: str, when: str, name: str, values: Field, span=None, statistic=None) -> None:
        records.append((text, when, _message(init_time, values, _gfs_keys(name, step, span, statistic))))

    add("PRMSL:mean sea level", now, "prmsl", plane(101_000.0))
    add("HPBL:surface", now, "blh", _field("blh", step))
    add("PRES:surface", now, "sp", _field("sp", step))
    add("TMP:2 m above ground", now, "t2m", _field("t2m", step))
    add("DPT:2 m above ground", now, "d2m", _field("d2m", step))
    add("RH:2 m above ground", now, "rh", plane(50.0))
    add("UGRD:10 m above ground", now, "u10", _field("u10", step))
    add("VGRD:10 m above ground", now, "v10", _field("v10", step))
    if step:
        start = (step - 1) // 6 * 6
        hours = step - start
        add("APCP:surface", f"{start}-{step} hour acc fcst", "tp", _total("tp", start, step), (start, step), 1)
        since = f"0-{step // 24} day acc fcst" if step % 24 == 0 else f"0-{step} hour acc fcst"
        add("APCP:surface", since, "tp", _total("tp", 0, step), (0, step), 1)
        mean = _total("ssrd", start, step) / hours
        add("DSWRF:surface", f"{start}-{step} hour ave fcst", "ssrd", mean, (start, step), 0)
        add("TCDC:entire atmosphere", f"{start}-{step} hour ave fcst", "tcc", plane(99.0), (start, step), 0)
    add("TCDC:entire atmosphere", now, "tcc", 100.0 * _field("tcc", step))
    body, lines = b"", []
    for number, (text, when, message) in enumerate(records, 1):
        lines.append(f"{number}:{len(body)}:d={init_time:%Y%m%d%H}:{text}:{when}:")
        body += message
    return body, "\n".join(lines) + "\n"


def publish_gfs(server: SourceServer, init_time: datetime, until: int) -> None:
    """Put a cycle into a bucket with NOAA's paths, up to a step (h)."""
    for step in range(0, until + 1, STEP):
        body, index = gfs_file(init_time, step)
        path = gfs_path(init_time, step)
        server.file(path, body)
        server.file(path + ".idx", index.encode())


def gfs_message(name: str, init_time: datetime, step: int, values: Field | None = None, **keys: object) -> bytes:
    """A message of GFS at an instant, by default with the true values; `keys` are eccodes' and set before all others."""
    return _message(
        init_time, _field(name, step) if values is None else values, keys | _gfs_keys(name, step, None, None) | keys
    )


def gfs_total(name: str, init_time: datetime, start: int, end: int, *, mean: bool = False) -> bytes:
    """A message of GFS with the true total from one hour to another, or the mean."""
    values = _total(name, start, end) / (end - start if mean else 1)
    return _message(init_time, values, _gfs_keys(name, end, (start, end), 0 if mean else 1))


def put_message(server: SourceServer, init_time: datetime, step: int, line: str, message: bytes) -> None:
    """Put a message where the index of a published step names another, by a part of its line."""
    path = gfs_path(init_time, step)
    body, lines = server._files[path][0], server._files[path + ".idx"][0].decode().splitlines()
    starts = [int(one.split(":")[1]) for one in lines] + [len(body)]
    at = next(number for number, one in enumerate(lines) if line in one)
    shift = len(message) - (starts[at + 1] - starts[at])
    for number in range(at + 1, len(lines)):
        lines[number] = lines[number].replace(f":{starts[number]}:", f":{starts[number] + shift}:", 1)
    server.file(path, body[: starts[at]] + message + body[starts[at + 1] :])
    server.file(path + ".idx", ("\n".join(lines) + "\n").encode())


def gfs_path(init_time: datetime, step: int) -> str:
    """The path of a step's file."""
    return f"/gfs.{init_time:%Y%m%d/%H}/atmos/gfs.t{init_time:%H}z.pgrb2.0p25.f{step:03d}"


@cache
def _ecmwf_file(init_time: datetime, step: int) -> tuple[bytes, str]:
    """A step's file of IFS, with its index; totals run from the start, in m and J m-2."""
    records: list[tuple[str, bytes]] = []

    def add(param: str, values: Field, **keys: object) -> None:
        known = {"centre": "ecmf"} | keys
        records.append((param, _message(init_time, values, known)))

    add("msl", plane(101_000.0), shortName="msl", step=step)
    for param, name in (("2t", "t2m"), ("2d", "d2m"), ("10u", "u10"), ("10v", "v10"), ("sp", "sp")):
        add(param, _field(name, step), shortName=param, step=step)
    add("tcc", 100.0 * _field("tcc", step), paramId=228164, step=step)
    if step:
        add("tp", _total("tp", 0, step) / 1000.0, paramId=228, stepRange=f"0-{step}")
        add("ssrd", _total("ssrd", 0, step) * 3600.0, paramId=169, stepRange=f"0-{step}")
    body, lines = b"", []
    for param, message in records:
        entry = {
            "domain": "g", "date": f"{init_time:%Y%m%d}", "time": f"{init_time:%H%M}", "expver": "0001", "class": "od",
            "type": "fc", "stream": "oper", "step": str(step), "levtype": "sfc", "param": param,
            "_offset": len(body), "_length": len(message),
        }  # fmt: skip
        lines.append(json.dumps(entry))
        body += message
    return body, "\n".join(lines) + "\n"


def ecmwf_path(init_time: datetime, step: int) -> str:
    """The path of a step's file, without the ending."""
    return f"/{init_time:%Y%m%d}/{init_time:%H}z/ifs/0p25/oper/{init_time:%Y%m%d%H%M%S}-{step}h-oper-fc"


def publish_ecmwf(server: SourceServer, init_time: datetime, until: int) -> None:
    """Put a cycle of IFS where ECMWF's open data has it, up to a step (h)."""
    for step in range(0, until + 1, STEP):
        body, index = _ecmwf_file(init_time, step)
        server.file(ecmwf_path(init_time, step) + ".grib2", body)
        server.file(ecmwf_path(init_time, step) + ".index", index.encode())


UNITS = {
    "temperature_2m": "°C",
    "dew_point_2m": "°C",
    "relative_humidity_2m": "%",
    "wind_speed_10m": "m/s",
    "wind_direction_10m": "°",
    "surface_pressure": "hPa",
    "boundary_layer_height": "m",
    "precipitation": "mm",
    "cloud_cover": "%",
    "shortwave_radiation": "W/m²",
}


def _open_meteo_values(hours: Field, latitude: float, longitude: float) -> dict[str, list[float]]:
    at = {name: truth(name, hours, latitude, longitude) + 0.0 * hours for name in TRUTH}
    values = {
        "temperature_2m": at["t2m"] - 273.15,
        "dew_point_2m": at["d2m"] - 273.15,
        "relative_humidity_2m": 60.0 + 0.0 * hours,
        "wind_speed_10m": np.hypot(at["u10"], at["v10"]),
        "wind_direction_10m": np.degrees(np.arctan2(-at["u10"], -at["v10"])) % 360.0,
        "surface_pressure": at["sp"] / 100.0,
        "boundary_layer_height": at["blh"],
        "precipitation": at["tp"],
        "cloud_cover": 100.0 * at["tcc"],
        "shortwave_radiation": at["ssrd"],
    }
    return {name: np.round(column, 4).tolist() for name, column in values.items()}


Change = Callable[[dict], None]


class OpenMeteoServer:
    """Open-Meteo's forecast, archive and metadata; `change` may alter each location's answer."""

    def __init__(self, server: SourceServer, run: datetime, model: str = "ecmwf_ifs", key: str = "") -> None:
        self.run, self.key = run, key
        self.change: Change = lambda place: None
        server.route(f"/data/{model}/static/meta.json", self._meta)
        server.route("/v1/forecast", self._forecast)
        server.route("/v1/archive", self._archive)

    def _meta(self, seen: Seen) -> Reply:
        seconds = int(self.run.timestamp())
        return json_reply({
            "last_run_initialisation_time": seconds,
            "last_run_availability_time": seconds + 6 * 3600,
            "temporal_resolution_seconds": 3600,
            "update_interval_seconds": 21_600,
        })  # fmt: skip

    def _forecast(self, seen: Seen) -> Reply:
        first, last = (datetime.fromisoformat(seen.query[k]).replace(tzinfo=UTC) for k in ("start_hour", "end_hour"))
        # A run named is one of the interface of earlier runs.
        run = datetime.fromisoformat(seen.query["run"]).replace(tzinfo=UTC) if "run" in seen.query else self.run
        return self._answer(seen, first, last, run)

    def _archive(self, seen: Seen) -> Reply:
        first, last = (datetime.fromisoformat(seen.query[k]).replace(tzinfo=UTC) for k in ("start_date", "end_date"))
        return self._answer(seen, first, last + timedelta(hours=23), self.run)

    def _answer(self, seen: Seen, first: datetime, last: datetime, run: datetime) -> Reply:
        if self.key and seen.query.get("apikey") != self.key:
            return json_reply({"error": True, "reason": "The supplied API key is invalid."}, 400)
        asked = seen.query["hourly"].split(",")
        unknown = [name for name in asked if name not in UNITS]
        if unknown or seen.query.get("timeformat") != "unixtime" or seen.query.get("wind_speed_unit") != "ms":
            return json_reply({"error": True, "reason": f"Data corrupted at path ''. {unknown}"}, 400)
        hours = int((last - first).total_seconds() // 3600) + 1
        places = []
        lats, lons = (seen.query[axis].split(",") for axis in ("latitude", "longitude"))
        for latitude, longitude in zip(map(float, lats), map(float, lons), strict=True):
            offset = int((first - run).total_seconds() // 3600)
            values = _open_meteo_values(np.arange(offset, offset + hours), latitude, longitude)
            place = {
                "latitude": round(latitude, 2),
                "longitude": round(longitude, 2),
                "generationtime_ms": 0.5,
                "utc_offset_seconds": 0,
                "timezone": "GMT",
                "elevation": 20.0,
                "hourly_units": {"time": "unixtime"} | {name: UNITS[name] for name in asked},
                "hourly": {"time": [int(first.timestamp()) + 3600 * h for h in range(hours)]}
                | {name: values[name] for name in asked},
            }
            self.change(place)
            places.append(place)
        return json_reply(places if len(places) > 1 else places[0])


class ClimateStore:
    """The Climate Data Store's jobs: accepted, then done, then a file to download."""

    def __init__(self, server: SourceServer, key: str, content: Callable[[dict], bytes]) -> None:
        self.server, self.key, self.content = server, key, content
        self.requests: list[dict] = []
        self.outcome = "successful"
        self.polls_until_done = 0
        server.route("/api/retrieve/v1/processes/", self._process)
        server.route("/api/retrieve/v1/jobs/", self._job)
        server.route("/api/catalogue/", lambda seen: json_reply({"messages": []}))

    def _process(self, seen: Seen) -> Reply:
        if seen.headers.get("private-token") != self.key:
            return json_reply({"type": "permission denied", "title": "Authentication failed"}, 401)
        if seen.method == "GET":
            return json_reply({"id": seen.path.rsplit("/", 1)[-1], "links": []})
        self.requests.append(json.loads(seen.body)["inputs"])
        return json_reply(self._status("accepted"), 201)

    def _status(self, status: str) -> dict:
        number = len(self.requests)
        links = [{"rel": "monitor", "href": f"{self.server.url}/api/retrieve/v1/jobs/{number}"}]
        return {"jobID": str(number), "status": status, "metadata": {}, "links": links}

    def _job(self, seen: Seen) -> Reply:
        if seen.path.endswith("/results"):
            if self.outcome != "successful":
                return json_reply({"title": "Job failed", "detail": "cost limits exceeded"}, 400)
            number = int(seen.path.split("/")[-2])
            body = self.content(self.requests[number - 1])
            url = self.server.file(f"/object-store/{number}.nc", body, "application/x-netcdf")
            value = {"type": "application/x-netcdf", "href": url, "file:size": len(body)}
            return json_reply({"asset": {"value": value}})
        if self.polls_until_done > 0:
            self.polls_until_done -= 1
            return json_reply(self._status("running"))
        return json_reply(self._status(self.outcome))


def era5_fields(request: dict) -> xr.Dataset:
    """What the store has of a request for ERA5: all hours of its days, as the store's NetCDF files hold them."""
    (year,), (month,) = request["year"], request["month"]
    days = [np.datetime64(f"{year}-{month}-{day}") for day in request["day"]]
    times = np.concatenate([day + np.arange(24).astype("timedelta64[h]") for day in days]).astype("datetime64[ns]")
    north, west, south, east = request["area"]
    lat, lon = np.arange(north, south - 0.1, -5.0), np.arange(west, east + 0.1, 5.0)
    # By the hour up and down, so that the amounts of hours are no totals of a day.
    swing = (np.arange(times.size) * 7 % 24 / 24.0)[:, None, None]
    dims, fields = ("valid_time", "latitude", "longitude"), {}
    for name, (unit, low, by_latitude) in _ERA5[request["variable"][0]].items():
        values = low * (1.0 + 0.01 * swing) + by_latitude * lat[:, None] + 0.0 * lon
        fields[name] = (dims, values.astype(np.float32), {"units": unit})
    coords = {"valid_time": times, "latitude": lat, "longitude": lon, "number": 0}
    return xr.Dataset(fields, coords=coords | {"expver": ("valid_time", np.full(times.size, "0001"))})


# By the first variable of a request: names in the files with unit, value at the equator and by degree of latitude.
_ERA5 = {
    "2m_temperature": {
        "t2m": ("K", 300.0, -0.5), "d2m": ("K", 290.0, -0.5), "u10": ("m s**-1", 2.0, 0.1), "v10": ("m s**-1", 1.0, 0.1),
        "sp": ("Pa", 90_000.0, 100.0), "blh": ("m", 500.0, 2.0), "tcc": ("(0 - 1)", 0.5, 0.001),
    },
    "total_precipitation": {"tp": ("m", 1e-3, 1e-5), "ssrd": ("J m**-2", 5e5, 1e3)},
}  # fmt: skip


def era5_month(request: dict, change: Callable[[xr.Dataset], xr.Dataset] = lambda fields: fields) -> bytes:
    """What the store answers to a request for ERA5."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "month.nc"
        change(era5_fields(request)).to_netcdf(path, engine="netcdf4")
        return path.read_bytes()
