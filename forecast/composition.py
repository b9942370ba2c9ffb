"""The forecast of a chemistry model beside one's own: on its lead times, and stored with it for verification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hazecast.forecast.inputs import stacked
from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, POLLUTANTS, check
from hazecast.models.interface import Float

# Of the variables in a stored forecast.
CAMS_SUFFIX = "_cams"
_HOUR = np.timedelta64(1, "h")


def composition_ahead(composition: xr.Dataset | None, cities: Sequence[str], init_time: np.datetime64) -> Float:
    """Return what a chemistry model forecast for the lead times of a forecast.

    Its value at an hour stands for the mean of the hour that ends then. The newest run is some hours old when it is
    published, so the last lead times lie beyond its end.

    Parameters
    ----------
    composition : xarray.Dataset (time, city) or None
        Contract "composition".
    cities : sequence of str
        Ids, in the order of the result.
    init_time : datetime64
        Of the forecast, UTC.

    Returns
    -------
    float32 (city, lead_time, pollutant)
        PM2.5 and O3 as in `hazecast.grids.contract.FORECAST_POLLUTANTS`, ug m-3; NaN where a city, hour or pollutant
        is absent.

    Raises
    ------
    InputError
        If `composition` breaks the contract.
    """
    if composition is not None:
        check(composition, "composition", name="composition")
    ahead = init_time.astype("datetime64[ns]") + np.arange(1, LEAD_HOURS + 1) * _HOUR
    return stacked(composition, FORECAST_POLLUTANTS, "city", cities, ahead)


def with_composition(forecast: xr.Dataset, composition: xr.Dataset | None, source: str) -> xr.Dataset:
    """Return `forecast` with what a chemistry model forecast for the same cities and hours, for verification.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    composition : xarray.Dataset (time, city) or None
        Contract "composition".
    source : str
        Which issue it is, in words.

    Returns
    -------
    xarray.Dataset
        With attribute ``composition_source`` and, unless `composition` is None, ``pm25_cams`` and ``o3_cams``
        (lead_time, city), ug m-3.
    """
    forecast = forecast.assign_attrs(composition_source=source)
    if composition is None:
        return forecast
    init_time = np.datetime64(forecast["init_time"].item(), "ns")
    ahead = composition_ahead(composition, [str(c) for c in forecast["city"].values], init_time)
    for number, name in enumerate(FORECAST_POLLUTANTS):
        variable = POLLUTANTS[name]
        attrs = {
            "standard_name": variable.standard_name,
            "units": variable.units,
            "long_name": "forecast of the chemistry model, as issued",
        }
        forecast = forecast.assign({f"{name}{CAMS_SUFFIX}": (("lead_time", "city"), ahead[..., number].T, attrs)})
    return forecast
