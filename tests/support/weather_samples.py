"""Weather files for tests, in the publishers' real layouts."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from hazecast.grids.contract import describe
from hazecast.grids.weather.codec import eccodes

LAT, LON = np.arange(42.0, 37.9, -0.5), np.arange(114.0, 119.1, 0.5)
PLANE = 270.0 + LAT[:, None] * 0.5 + LON[None] * 0.1


def write_era5(
    path: Path,
    *,
    new_layout: bool = False,
    hours: int = 4,
    units: dict[str, str] | None = None,
    only: set[str] | None = None,
) -> Path:
    """ERA5 as the Climate Data Store writes it: packed 16-bit integers, latitude descending."""
    names = {"t2m": "K", "d2m": "K", "sp": "Pa", "tp": "m", "ssrd": "J m**-2", "blh": "m", "tcc": "(0 - 1)"}
    values = {
        "t2m": PLANE,
        "d2m": PLANE - 5,
        "sp": PLANE * 300,
        "tp": PLANE * 1e-5,
        "ssrd": PLANE * 3600,
        "blh": PLANE,
        "tcc": PLANE / 600,
    }
    with netCDF4.Dataset(path, "w") as file:
        time = "valid_time" if new_layout else "time"
        for dim, size in ((time, hours), ("latitude", LAT.size), ("longitude", LON.size)):
            file.createDimension(dim, size)
        clock = file.createVariable(time, "i8" if new_layout else "i4", (time,))
        clock.units = "seconds since 1970-01-01" if new_layout else "hours since 1900-01-01 00:00:00.0"
        clock.calendar = "proleptic_gregorian" if new_layout else "gregorian"
        clock[:] = [
            netCDF4.date2num(np.datetime64("2014-02-20T00").item(), clock.units) + h * (3600 if new_layout else 1)
            for h in range(hours)
        ]
        for dim, axis in (("latitude", LAT), ("longitude", LON)):
            file.createVariable(dim, "f4", (dim,))[:] = axis
        if new_layout:
            file.createVariable("number", "i8", ())[...] = 0
            file.createVariable("expver", str, (time,))[:] = np.array(["0001"] * hours, object)
        for name, unit in names.items():
            if only is not None and name not in only:
                continue
            field = np.stack([values[name]] * hours)
            variable = file.createVariable(name, "i2", (time, "latitude", "longitude"), fill_value=-32767)
            variable.scale_factor = float(np.ptp(field) / 65_000)
            variable.add_offset = float(field.mean())
            variable.units = (units or {}).get(name, unit)
            variable[:] = field
    return path


def write_grib(path: Path, messages: list[dict[str, object]], fields: list[np.ndarray]) -> Path:
    """GFS as NOAA writes it: GRIB2 edition, regular grid from north to south, longitudes from 0."""
    with path.open("wb") as file:
        for keys, field in zip(messages, fields, strict=True):
            handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            grid = {
                "centre": "kwbc", "generatingProcessIdentifier": 96, "Ni": LON.size, "Nj": LAT.size, "dataDate": 20140220, "dataTime": 0,
                "latitudeOfFirstGridPointInDegrees": LAT[0], "latitudeOfLastGridPointInDegrees": LAT[-1],
                "longitudeOfFirstGridPointInDegrees": LON[0], "longitudeOfLastGridPointInDegrees": LON[-1],
                "iDirectionIncrementInDegrees": 0.5, "jDirectionIncrementInDegrees": 0.5, "bitsPerValue": 20,
            }  # fmt: skip
            for key, value in (grid | keys).items():
                eccodes.codes_set(handle, key, value.item() if isinstance(value, np.generic) else value)
            eccodes.codes_set_values(handle, field.ravel().astype(float))
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)
    return path


def bucket(start: int, end: int, name: str = "tp") -> dict[str, object]:
    statistics = {"tp": 1, "sdswrf": 0}[name]
    codes = {"tp": (0, 1, 8), "sdswrf": (0, 4, 192)}[name]
    return {
        "productDefinitionTemplateNumber": 8, "typeOfStatisticalProcessing": statistics,
        "discipline": codes[0], "parameterCategory": codes[1], "parameterNumber": codes[2],
        "typeOfFirstFixedSurface": 1, "stepType": "accum" if name == "tp" else "avg", "stepRange": f"{start}-{end}",
    }  # fmt: skip


def hourly_weather(start: str, hours: int, *, names: tuple[str, ...] = ("t2m", "u10"), **attrs: str) -> xr.Dataset:
    """Weather whose every value tells its hour."""
    times = np.datetime64(start, "ns") + np.arange(hours).astype("timedelta64[h]")
    latitude, longitude = np.arange(38.0, 42.1, 0.5), np.arange(114.0, 119.1, 0.5)
    stamp = (times - np.datetime64("2014-01-01")) / np.timedelta64(1, "h")
    field = np.broadcast_to(stamp[:, None, None] / 10 + latitude[:, None], (hours, latitude.size, longitude.size))
    dataset = xr.Dataset(
        {name: (("time", "latitude", "longitude"), field.astype(np.float32) + 200) for name in names},
        coords={"time": times, "latitude": latitude, "longitude": longitude},
        attrs={"source": "test", **attrs},
    )
    return describe(dataset, "weather_grid")
