"""Whole weather files of further kinds, for fuzzing: GRIB of edition 1, of fields that share a message, packed; wind by direction."""

from __future__ import annotations

import gzip
from pathlib import Path

import netCDF4
import numpy as np

from hazecast.grids.weather.codec import eccodes
from tests.support.weather_samples import LAT, LON, PLANE, write_grib

_WIND = {"discipline": 0, "parameterCategory": 2, "typeOfFirstFixedSurface": 103, "level": 10, "step": 1}


def write_grib1(path: Path) -> Path:
    """Write fields of edition 1 as ECMWF's archive gives them: a regular grid from north to south."""
    grid = {
        "centre": "ecmf", "table2Version": 128, "Ni": LON.size, "Nj": LAT.size, "dataDate": 20140220, "dataTime": 0,
        "latitudeOfFirstGridPointInDegrees": LAT[0], "latitudeOfLastGridPointInDegrees": LAT[-1],
        "longitudeOfFirstGridPointInDegrees": LON[0], "longitudeOfLastGridPointInDegrees": LON[-1],
        "iDirectionIncrementInDegrees": 0.5, "jDirectionIncrementInDegrees": 0.5, "bitsPerValue": 16,
    }  # fmt: skip
    with path.open("wb") as file:
        for number, step, field in ((167, 0, PLANE), (167, 3, PLANE), (168, 3, PLANE - 5), (134, 3, PLANE * 300)):
            handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
            for key, value in (grid | {"indicatorOfParameter": number, "step": step}).items():
                eccodes.codes_set(handle, key, value.item() if isinstance(value, np.generic) else value)
            eccodes.codes_set_values(handle, field.ravel().astype(float))
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)
    return path


def write_submessages(path: Path) -> Path:
    """Write both winds at 10 m in one message of edition 2, as NCEP does, after a field of its own."""
    alone = path.with_name("alone.grib2")
    write_grib(alone, [{"shortName": "2t", "step": 1}], [PLANE])
    parts = [path.with_name(f"part{number}.grib2") for number in (2, 3)]
    for number, part in zip((2, 3), parts, strict=True):
        write_grib(part, [_WIND | {"parameterNumber": number}], [PLANE - 270 + number])
    multi = eccodes.codes_grib_multi_new()
    for part in parts:
        with part.open("rb") as file:
            handle = eccodes.codes_grib_new_from_file(file)
        # From the section that says what the field is: reference time and grid are shared.
        eccodes.codes_grib_multi_append(handle, 4 if part is parts[1] else 0, multi)
        eccodes.codes_release(handle)
    with path.open("wb") as file:
        file.write(alone.read_bytes())
        eccodes.codes_grib_multi_write(multi, file)
    eccodes.codes_grib_multi_release(multi)
    for part in (alone, *parts):
        part.unlink()
    return path


def write_packed(path: Path) -> Path:
    """Write two steps in gzip."""
    plain = write_grib(
        path.with_name("plain"), [{"shortName": "2t", "step": step} for step in (1, 2)], [PLANE, PLANE + 1]
    )
    path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()
    return path


def write_polar_grib(path: Path) -> Path:
    """Write speed and direction of the wind in GRIB."""
    level = {
        "discipline": 0,
        "parameterCategory": 2,
        "typeOfFirstFixedSurface": 103,
        "scaledValueOfFirstFixedSurface": 10,
    }
    keys = [{**level, "parameterNumber": number, "scaleFactorOfFirstFixedSurface": 0} for number in (1, 0)]
    return write_grib(path, keys, [np.full(PLANE.shape, 5.0), PLANE])


def write_lambert(path: Path) -> Path:
    """Write temperature on a Lambert grid."""
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    keys: dict[str, object] = {
        "gridType": "lambert", "Nx": 20, "Ny": 15, "latitudeOfFirstGridPointInDegrees": 34.0, "longitudeOfFirstGridPointInDegrees": 108.0,
        "LoVInDegrees": 126.0, "LaDInDegrees": 38.0, "Latin1InDegrees": 30.0, "Latin2InDegrees": 60.0, "DxInMetres": 90_000,
        "DyInMetres": 90_000, "jScansPositively": 1, "shapeOfTheEarth": 6, "shortName": "2t", "dataDate": 20140220,
        "numberOfDataPoints": 300, "bitsPerValue": 16,
    }  # fmt: skip
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, np.linspace(270.0, 280.0, 300))
    path.write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    return path


def write_wind(path: Path) -> Path:
    """Write speed and direction of the wind as NetCDF 3."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        axes = {
            "time": (np.arange(3), "hours since 2014-02-20"),
            "lat": (LAT, "degrees_north"),
            "lon": (LON, "degrees_east"),
        }
        for dim, (axis, units) in axes.items():
            file.createDimension(dim, len(axis))
            file.createVariable(dim, "f8", (dim,)).units = units
            file[dim][:] = axis
        for name, units, value in (("wind_speed", "m s-1", 5.0), ("wind_from_direction", "degree", 315.0)):
            field = file.createVariable(name, "f4", tuple(axes))
            field.standard_name, field.units, field.coordinates = name, units, "height"
            field[:] = value
        height = file.createVariable("height", "f8", ())
        height.standard_name, height.units = "height", "m"
        height[...] = 10.0
    return path
