"""Datasets as they are published: the CF Conventions 1.11 and the Attribute Convention for Data Discovery (ACDD) 1.3.

Inside, a Dataset has what the data contract asks for. A file that leaves the service says beside it where and when its
values are: latitude and longitude of each city (CF 4.1, 4.2), the time that each hour ends at (CF 4.4) with its bounds
(CF 7.1), what the values are means of (CF 7.3), and what they are, from whom and from when (CF 2.6, ACDD).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import xarray as xr

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality.flags import FLAG_ATTRS
from hazecast.grids.times import format_time

_KEYWORDS = "air quality, haze, particulate matter, PM2.5, ozone, eastern Asia"
# What a Dataset of cities is published with; a model's state has dimensions of its own and stays inside.
_DIMS = {"lead_time", "time", "city", "quantile", "date"}
_NAMES = {
    "pm25": "PM2.5", "o3": "ozone", "pm10": "PM10", "no2": "nitrogen dioxide", "so2": "sulfur dioxide",
    "co": "carbon monoxide", "relative_humidity": "relative humidity", "visibility": "visibility",
}  # fmt: skip
_EPOCH = "hours since 1970-01-01 00:00:00"
_HOUR = np.timedelta64(1, "h")
# Of observations: what quality control says, and how many stations are behind a mean (CF 3.5, standard names).
_QUALITY_NAMES = {"_flag": "status_flag", "_stations": "number_of_observations"}
# Where nothing was observed that could be flagged.
_NO_FLAG = -1
_QUALITY = (*_QUALITY_NAMES, "source")
# Computers' time: no second is a leap second (CF 4.4).
_NO_LEAPS = {"units_metadata": "leap_seconds: none"}


def published(
    dataset: xr.Dataset, registry: Registry, *, about: Mapping[str, str], created: datetime, history: str
) -> xr.Dataset:
    """Return a Dataset of cities with all that a reader without the data contract needs.

    Parameters
    ----------
    dataset : xarray.Dataset
        Contract "forecast" (``lead_time``, ``city``, ``quantile``, ``init_time``) or "observations" (``time``, ``city``).
    registry : Registry
        Holds the cities.
    about : mapping of str to str
        Global attributes of ACDD that are the service's: ``institution``, ``creator_name``, ``license`` and so on.
    created : datetime
        Aware: when the values were made.
    history : str
        What made them; the time is put before it (CF 2.6.2).

    Returns
    -------
    xarray.Dataset
        Without variables of other dimensions, which are a model's state.
    """
    kept = [
        n
        for n, array in dataset.data_vars.items()
        if set(array.dims) <= _DIMS and {"lead_time", "time"} & set(array.dims)
    ]
    result = dataset[kept].copy()
    result = result.drop_vars([name for name in result.coords if set(result[name].dims) - _DIMS])
    result = _with_places(result, registry)
    result["city"].attrs = {"long_name": "id of the city"}
    result, times = _with_times(result)
    if "time" in result.dims:
        # Axes other than time, height and position stand before them (CF 2.4).
        result = result.transpose("city", "time", ...)
    for name in [name for name in result.data_vars if str(name).endswith("_flag")]:
        flags = result[name]
        whole = flags if flags.dtype.kind in "iu" else flags.fillna(_NO_FLAG)
        result[name] = whole.astype(np.int8).assign_attrs(FLAG_ATTRS)
    for name, array in result.data_vars.items():
        _describe(str(name), array, "modelResult" if "lead_time" in result.dims else "physicalMeasurement")
    result.attrs = _about(dataset, result, times, about, created, history)
    return result


def _with_places(result: xr.Dataset, registry: Registry) -> xr.Dataset:
    """Add where the cities are."""
    places = [registry.city(str(name)) for name in result["city"].values]
    latitude = np.array([place.latitude for place in places])
    longitude = np.array([place.longitude for place in places])
    result = result.assign_coords(
        latitude=("city", latitude, {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"}),
        longitude=(
            "city",
            longitude,
            {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"},
        ),
    )
    heights = [place.elevation for place in places if place.elevation is not None]
    if len(heights) == len(places):
        ground = {"standard_name": "altitude", "long_name": "ground above sea level", "units": "m", "positive": "up"}
        result = result.assign_coords(altitude=("city", heights, ground))
    return result


def _about(
    dataset: xr.Dataset,
    result: xr.Dataset,
    times: np.ndarray,
    about: Mapping[str, str],
    created: datetime,
    history: str,
) -> dict[str, Any]:
    """Return the global attributes of what is published of a Dataset."""
    latitude, longitude = result["latitude"].values, result["longitude"].values
    north, south, east, west = (float(f(a)) for a in (latitude, longitude) for f in (np.max, np.min))
    stamp = format_time(created)
    found = "Forecast" if "lead_time" in result.dims else "Observations"
    return (
        {
            "title": f"{found} of air quality by city",
            "summary": f"{found} of PM2.5, ozone and what belongs to them, by hour, in {result.sizes['city']} cities.",
            "keywords": _KEYWORDS,
            "source": "model" if "lead_time" in result.dims else "surface observations",
        }
        | dict(about)
        | {name: value for name, value in dataset.attrs.items() if name != "title" or "SIMULATED" in str(value)}
        | {
            "Conventions": "CF-1.11, ACDD-1.3",
            "standard_name_vocabulary": "CF Standard Name Table v79",
            "history": f"{stamp}: {history}",
            "date_created": stamp,
            "cdm_data_type": "Station",
            "geospatial_lat_min": south,
            "geospatial_lat_max": north,
            "geospatial_lat_units": "degrees_north",
            "geospatial_lon_min": west,
            "geospatial_lon_max": east,
            "geospatial_lon_units": "degrees_east",
            "geospatial_bounds": _bounds(south, north, west, east),
            "geospatial_bounds_crs": "EPSG:4326",
            "time_coverage_start": _text(times[0] - _HOUR),
            "time_coverage_end": _text(times[-1]),
            "time_coverage_duration": f"PT{int((times[-1] - times[0]) / _HOUR) + 1}H",
            "time_coverage_resolution": "PT1H",
        }
        | _vertical(result)
    )


def encoding_of(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return how a published Dataset is written: packed, with times in hours and no fill value in coordinates (CF 2.5.1)."""
    encoding: dict[str, dict[str, Any]] = {
        str(name): {"zlib": True, "complevel": 4} for name, a in dataset.data_vars.items() if a.dtype.kind in "fiu"
    }
    for name in encoding:
        if name.endswith("_flag"):
            encoding[name]["_FillValue"] = np.int8(_NO_FLAG)
    for name in ("latitude", "longitude", "altitude", "quantile"):
        if name in dataset.coords:
            encoding[name] = {"_FillValue": None}
    for name in ("init_time", "valid_time", "valid_time_bounds", "time", "time_bounds"):
        if name in dataset.variables:
            encoding[name] = {"units": _EPOCH, "dtype": "int64", "calendar": "standard", "_FillValue": None}
    for name in ("lead_time", "lead_time_bounds"):
        if name in dataset.variables:
            encoding[name] = {"units": "hours", "dtype": "int32", "_FillValue": None}
    return encoding


def _with_times(dataset: xr.Dataset) -> tuple[xr.Dataset, np.ndarray]:
    """Add the hours' ends and bounds; return the ends too."""
    if "lead_time" not in dataset.dims:
        times = dataset["time"].values
        dataset["time"].attrs = {
            "standard_name": "time", "long_name": "end of the hour", "axis": "T", "bounds": "time_bounds",
            **_NO_LEAPS,
        }  # fmt: skip
        bounds = np.stack([times - _HOUR, times], axis=-1)
        return dataset.assign(time_bounds=(("time", "bounds"), bounds)), times
    lead = dataset["lead_time"].values
    times = dataset["init_time"].values + lead
    dataset = dataset.assign_coords(valid_time=("lead_time", times))
    dataset["valid_time"].attrs = {
        "standard_name": "time", "long_name": "end of the hour", "bounds": "valid_time_bounds", **_NO_LEAPS,
    }  # fmt: skip
    dataset["lead_time"].attrs = {
        "standard_name": "forecast_period", "long_name": "hours after the init time", "bounds": "lead_time_bounds",
    }  # fmt: skip
    dataset["init_time"].attrs = {"standard_name": "forecast_reference_time", "long_name": "init time", **_NO_LEAPS}
    if "quantile" in dataset.coords:
        dataset["quantile"].attrs = {"long_name": "quantile of the forecast distribution", "units": "1"}
    before = np.stack([lead - _HOUR, lead], axis=-1)
    return (
        dataset.assign(
            lead_time_bounds=(("lead_time", "bounds"), before),
            valid_time_bounds=(("lead_time", "bounds"), dataset["init_time"].values + before),
        ),
        times,
    )


def _vertical(dataset: xr.Dataset) -> dict[str, float | str]:
    """Return ACDD's vertical extent: the ground of the cities, above mean sea level, where all are known."""
    if "altitude" not in dataset.coords:
        return {}
    ground = dataset["altitude"]
    return {
        "geospatial_vertical_min": float(ground.min()), "geospatial_vertical_max": float(ground.max()),
        "geospatial_vertical_units": "m", "geospatial_vertical_positive": "up",
        "geospatial_bounds_vertical_crs": "EPSG:5714",
    }  # fmt: skip


def _describe(name: str, array: xr.DataArray, content: str) -> None:
    if name.endswith("_bounds"):
        return
    array.attrs["coverage_content_type"] = "qualityInformation" if name.endswith(_QUALITY) else content
    if name.endswith(tuple(_QUALITY_NAMES)):
        array.attrs["standard_name"] = next(v for k, v in _QUALITY_NAMES.items() if name.endswith(k))
    if array.attrs.get("units") == "K":
        # A temperature, not a difference of two (CF 3.1.2).
        array.attrs["units_metadata"] = "temperature: on_scale"
    base = name.removesuffix("_mean")
    array.attrs.setdefault("long_name", _NAMES.get(base, name.replace("_", " ")))
    if name.endswith("_mean") and base in POLLUTANTS:
        array.attrs["long_name"] = f"{_NAMES[base]}, expected value"
        array.attrs.setdefault("standard_name", POLLUTANTS[base].standard_name)
        array.attrs.setdefault("units", POLLUTANTS[base].units)
    array.attrs.setdefault("units", "1")
    if array.dtype.kind not in "fiu":
        del array.attrs["units"]
    if base in POLLUTANTS:
        axis = "lead_time" if "lead_time" in array.dims else "time"
        array.attrs["cell_methods"] = f"{axis}: mean"


def _bounds(south: float, north: float, west: float, east: float) -> str:
    """Return the box as WKT, latitude first as EPSG:4326 has its axes (ACDD, geospatial_bounds)."""
    if (south, west) == (north, east):
        return f"POINT ({south:.4f} {west:.4f})"
    corners = ((south, west), (south, east), (north, east), (north, west), (south, west))
    return f"POLYGON (({', '.join(f'{lat:.4f} {lon:.4f}' for lat, lon in corners)}))"


def _text(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, unit='s')}Z"
