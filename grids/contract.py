"""The data contract: the names, dimensions and units of every Dataset that passes between packages.

Names and units follow the CF conventions (https://cfconventions.org, standard name table).
Time is UTC, as naive ``datetime64[ns]``; a time stamp marks the *end* of the hour
that a concentration is averaged over, and the instant at which weather is valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from hazecast.grids.errors import InputError


@dataclass(frozen=True)
class Variable:
    """One variable of the contract: CF standard name, units and physically possible range."""

    standard_name: str
    units: str
    low: float
    high: float


WEATHER: dict[str, Variable] = {
    "t2m": Variable("air_temperature", "K", 180.0, 340.0),
    "d2m": Variable("dew_point_temperature", "K", 150.0, 330.0),
    "u10": Variable("eastward_wind", "m s-1", -120.0, 120.0),
    "v10": Variable("northward_wind", "m s-1", -120.0, 120.0),
    "sp": Variable("surface_air_pressure", "Pa", 40_000.0, 110_000.0),
    "blh": Variable("atmosphere_boundary_layer_thickness", "m", 0.0, 12_000.0),
    "tp": Variable("lwe_precipitation_rate", "mm h-1", 0.0, 400.0),
    "tcc": Variable("cloud_area_fraction", "1", 0.0, 1.0),
    "ssrd": Variable("surface_downwelling_shortwave_flux_in_air", "W m-2", 0.0, 1_500.0),
}

POLLUTANTS: dict[str, Variable] = {
    "pm25": Variable("mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air", "ug m-3", 0.0, 2_000.0),
    "o3": Variable("mass_concentration_of_ozone_in_air", "ug m-3", 0.0, 1_500.0),
    "pm10": Variable("mass_concentration_of_pm10_ambient_aerosol_particles_in_air", "ug m-3", 0.0, 5_000.0),
    "no2": Variable("mass_concentration_of_nitrogen_dioxide_in_air", "ug m-3", 0.0, 2_000.0),
    "so2": Variable("mass_concentration_of_sulfur_dioxide_in_air", "ug m-3", 0.0, 5_000.0),
    "co": Variable("mass_concentration_of_carbon_monoxide_in_air", "ug m-3", 0.0, 100_000.0),
}

# Measured beside pollutants, visibility without hours of precipitation; observations may hold them.
VISIBILITY = Variable("visibility_in_air", "m", 0.0, 100_000.0)
HUMIDITY = Variable("relative_humidity", "%", 0.0, 100.0)
# What a bureau's stations may measure beside pollutants: weather, and what observations hold of it.
MEASURED_WEATHER: tuple[str, ...] = ("t2m", "d2m", "u10", "v10", "sp", "tp")
MEASURED_AIR: tuple[str, ...] = ("relative_humidity", "visibility")

FORECAST_POLLUTANTS: tuple[str, ...] = ("pm25", "o3")
# A pollutant's name with it is what the chemistry model forecast, in a Dataset of "forecast" (lead_time, city).
CAMS_SUFFIX = "_cams"
QUANTILES: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
HISTORY_HOURS = 72
LEAD_HOURS = 120

Kind = Literal["weather_grid", "city_weather", "observations", "composition", "forecast"]
_DIMS: dict[Kind, tuple[str, ...]] = {
    "weather_grid": ("time", "latitude", "longitude"),
    "city_weather": ("time", "city"),
    "observations": ("time", "city"),
    "composition": ("time", "city"),
    "forecast": ("lead_time", "city", "quantile"),
}
_ATTRS: dict[Kind, tuple[str, ...]] = {
    "weather_grid": ("source",),
    "city_weather": ("source",),
    "observations": ("source",),
    "composition": ("source", "init_time"),
    "forecast": ("model_id", "weather_source", "observations_until", "degraded", "simulated"),
}


def variables_of(kind: Kind) -> dict[str, Variable]:
    """Return the variables that a Dataset of `kind` may hold."""
    if kind in ("weather_grid", "city_weather"):
        return WEATHER
    if kind == "observations":
        return POLLUTANTS | {"visibility": VISIBILITY, "relative_humidity": HUMIDITY}
    return {name: POLLUTANTS[name] for name in FORECAST_POLLUTANTS}


def describe(dataset: xr.Dataset, kind: Kind) -> xr.Dataset:
    """Set the contract's ``standard_name`` and ``units`` on each variable.

    Parameters
    ----------
    dataset : xarray.Dataset
        Values in the units of the contract; variables unknown to it are left as they are.
    kind : {"weather_grid", "city_weather", "observations", "composition", "forecast"}

    Returns
    -------
    xarray.Dataset
        A shallow copy.

    Examples
    --------
    >>> import xarray as xr
    >>> described = describe(xr.Dataset({"pm25": ("time", [35.0, 80.0])}), "observations")
    >>> described["pm25"].attrs["units"]
    'ug m-3'
    """
    known = variables_of(kind)
    result = dataset.copy()
    for name in result.data_vars:
        if name in known:
            variable = known[str(name)]
            result[name].attrs.update(standard_name=variable.standard_name, units=variable.units)
    return result


def check(dataset: xr.Dataset, kind: Kind, *, name: str = "dataset") -> xr.Dataset:
    """Check a Dataset against the contract and return it unchanged.

    Parameters
    ----------
    dataset : xarray.Dataset
        Dimensions as in the contract of `kind`; observations may have ``station``
        in place of ``city``.
    kind : {"weather_grid", "city_weather", "observations", "composition", "forecast"}
        Which contract applies.
    name : str
        What to call the Dataset in an error, usually its file.

    Returns
    -------
    xarray.Dataset
        `dataset` itself.

    Raises
    ------
    InputError
        If a dimension, attribute, unit or coordinate is missing or wrong, if time is not
        sorted and unique, or if no variable of the contract is present.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> hours = np.datetime64("2013-01-12T00", "ns") + np.arange(2) * np.timedelta64(1, "h")
    >>> observations = xr.Dataset(
    ...     {"pm25": (("time", "city"), [[35.0], [80.0]])},
    ...     coords={"time": hours, "city": ["beijing"]},
    ...     attrs={"source": "example"},
    ... )
    >>> check(describe(observations, "observations"), "observations").sizes["time"]
    2
    >>> check(observations, "observations", name="my.nc")
    Traceback (most recent call last):
    ...
    hazecast.grids.errors.InputError: my.nc: pm25 units: found None; expected ug m-3
    """
    dims = _DIMS[kind]
    if kind == "observations" and "station" in dataset.dims:
        dims = ("time", "station")
    for dim in dims:
        if dim not in dataset.coords:
            raise InputError(f"{name}: coordinate {dim}", "absent", f"dimensions {dims}")
    for attribute in _ATTRS[kind]:
        if attribute not in dataset.attrs:
            raise InputError(f"{name}: attribute {attribute}", "absent", f"one of {_ATTRS[kind]}")
    known = variables_of(kind)
    present = [v for v in known if v in dataset.data_vars]
    if not present:
        raise InputError(f"{name}: variables", sorted(map(str, dataset.data_vars)), f"any of {sorted(known)}")
    for variable in present:
        _check_variable(dataset[variable], known[variable], dims, f"{name}: {variable}")
    _check_axis(dataset, dims[0], kind, name)
    return dataset


def within_limits(array: xr.DataArray, name: str, where: str) -> xr.DataArray:
    """Clip a weather variable to the contract's range, where packing moved values slightly outside.

    Parameters
    ----------
    array : xarray.DataArray
        In the units of the contract.
    name : str
        A weather variable of the contract.
    where : str
        Where it was read from, for errors.

    Returns
    -------
    xarray.DataArray

    Raises
    ------
    InputError
        If a value lies outside by more than 1 % of the range.
    """
    variable = WEATHER[name]
    tolerance = 0.01 * (variable.high - variable.low)
    outside = int(((array < variable.low - tolerance) | (array > variable.high + tolerance)).sum())
    if outside:
        raise InputError(
            f"{where}: {name}", f"{outside} values outside", f"{variable.low:g} to {variable.high:g} {variable.units}"
        )
    return array.clip(variable.low, variable.high, keep_attrs=True)


def _check_variable(array: xr.DataArray, variable: Variable, dims: tuple[str, ...], where: str) -> None:
    if array.dims != dims:
        raise InputError(f"{where} dimensions", array.dims, str(dims))
    # As text: in a damaged file an attribute may be an array.
    if str(array.attrs.get("units")) != variable.units:
        raise InputError(f"{where} units", array.attrs.get("units"), variable.units)
    if str(array.attrs.get("standard_name")) != variable.standard_name:
        raise InputError(f"{where} standard_name", array.attrs.get("standard_name"), variable.standard_name)
    if array.dtype.kind != "f":
        raise InputError(f"{where} type", array.dtype, "floating point")


def _check_axis(dataset: xr.Dataset, axis: str, kind: Kind, name: str) -> None:
    values = dataset[axis].values
    wanted = np.timedelta64 if kind == "forecast" else np.datetime64
    if values.size == 0 or not np.issubdtype(values.dtype, wanted):
        raise InputError(f"{name}: {axis}", f"{values.size} values of {values.dtype}", f"{wanted.__name__} values")
    if values.size > 1 and not (np.diff(values) > np.timedelta64(0, "ns")).all():
        raise InputError(f"{name}: {axis}", "unsorted or repeated values", "strictly increasing values")
    if kind == "forecast":
        if "init_time" not in dataset.coords or dataset["init_time"].ndim != 0:
            raise InputError(f"{name}: init_time", "absent", "a scalar coordinate")
        if not np.allclose(dataset["quantile"].values, QUANTILES):
            raise InputError(f"{name}: quantile", dataset["quantile"].values, str(QUANTILES))
