"""What no weather can be, though each value by itself is possible: fields of one value, dew points above the temperature."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER
from hazecast.grids.errors import InputError

# Never the same everywhere, unlike clouds, rain and sunshine: a field of one value is what a failed encoder writes.
_VARYING = ("t2m", "d2m", "u10", "v10", "sp", "blh")
# Chosen: in a few places, or hours, rounded values may be alike.
_MANY = 48
# Saturated air has a dew point of its temperature. Chosen, since packing and supersaturation move it by tenths of a
# kelvin: so far above, in more than so large a share of the values.
_ABOVE, _SHARE = 1.0, 0.01


def refuse_impossible(weather: xr.Dataset, where: str) -> None:
    """Refuse weather that contradicts itself.

    Parameters
    ----------
    weather : xarray.Dataset (time, ...)
        Contract "weather_grid" or "city_weather".
    where : str
        Where it was read from, for errors.

    Raises
    ------
    InputError
        If a variable that varies has one value at a whole time or throughout, or dew points lie above the temperature.
    """
    for name in _VARYING:
        if name in weather:
            array = weather[name].transpose("time", ...)
            for part in (*array.values, array.values):
                known = part[np.isfinite(part)]
                if known.size >= _MANY and known.min() == known.max():
                    found = f"{known[0]:g} {WEATHER[name].units} at all {known.size} places and times"
                    raise InputError(f"{where}: {name}", found, "values that vary")
    if {"t2m", "d2m"} <= set(weather.data_vars):
        excess = (weather["d2m"] - weather["t2m"]).values
        above, known = int((excess > _ABOVE).sum()), int(np.isfinite(excess).sum())
        if above > _SHARE * known:
            found = f"{above} of {known} values more than {_ABOVE:g} K above the temperature, at most {np.nanmax(excess):.1f} K"
            raise InputError(f"{where}: d2m", found, "a dew point up to the temperature")
