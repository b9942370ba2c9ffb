"""How NetCDF files write units, and the factors and offsets from them to the contract's."""

from __future__ import annotations

from hazecast.grids.weather.netcdf_names import HUMIDITY, SPECIFIC

_KELVIN = {"k": (1.0, 0.0), "degc": (1.0, 273.15), "degf": (5.0 / 9.0, 459.67 * 5.0 / 9.0)}
_KNOT = (1852.0 / 3600.0, 0.0)
_SPEED = {
    "m s-1": (1.0, 0.0),
    "km h-1": (1.0 / 3.6, 0.0),
    "kt": _KNOT,
    "cm s-1": (0.01, 0.0),
    "mi h-1": (1609.344 / 3600.0, 0.0),
}
_FRACTION = {"1": (1.0, 0.0), "%": (0.01, 0.0), "okta": (0.125, 0.0), "tenth": (0.1, 0.0)}
# By unit, written as `hazecast.grids.unit_texts.plain_unit` does: factor and offset to the contract's.
UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "t2m": _KELVIN,
    "d2m": _KELVIN,
    HUMIDITY: {"%": (1.0, 0.0), "1": (100.0, 0.0)},
    SPECIFIC: {"kg kg-1": (1.0, 0.0), "1": (1.0, 0.0), "g kg-1": (1e-3, 0.0)},
    "u10": _SPEED,
    "v10": _SPEED,
    "sp": {"pa": (1.0, 0.0), "hpa": (100.0, 0.0), "mbar": (100.0, 0.0), "kpa": (1000.0, 0.0)},
    "blh": {"m": (1.0, 0.0)},
    "tcc": _FRACTION,
    "tp": {
        "mm h-1": (1.0, 0.0),
        "kg m-2 s-1": (3600.0, 0.0),
        "mm s-1": (3600.0, 0.0),
        "m s-1": (3.6e6, 0.0),
        "mm day-1": (1.0 / 24.0, 0.0),
        "mm d-1": (1.0 / 24.0, 0.0),
        "m h-1": (1000.0, 0.0),
        "cm h-1": (10.0, 0.0),
        "kg m-2 h-1": (1.0, 0.0),
        "kg m-2 day-1": (1.0 / 24.0, 0.0),
        "kg m-2 d-1": (1.0 / 24.0, 0.0),
    },
    "ssrd": {"w m-2": (1.0, 0.0), "j m-2 s-1": (1.0, 0.0)},
}
# Totals, whose mean by the hour is the contract's rate.
TOTALS = {
    "tp": {"m": (1000.0, 0.0), "mm": (1.0, 0.0), "kg m-2": (1.0, 0.0)},
    "ssrd": {
        "j m-2": (1.0 / 3600.0, 0.0),
        "kj m-2": (1.0 / 3.6, 0.0),
        "mj m-2": (1000.0 / 3.6, 0.0),
        "w h m-2": (1.0, 0.0),
    },
}
