"""How likely a day of a forecast exceeds the standard of the city's own country."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.forecast.daily import pm25_limit
from hazecast.forecast.days import by_day, day_begins, forecast_days, joined_hours
from hazecast.forecast.indices import band_above, china_standard, ozone_ppm, us_concentration
from hazecast.forecast.products import daily_mean, local_hours, mda8
from hazecast.forecast.scenarios import exceedance_probability
from hazecast.grids.contract import QUANTILES
from hazecast.grids.places.cities import Country, Registry

# The band that begins above the country's standard, of countries whose standard is one of single hours.
HOURLY_OZONE = {"JP": ("japan_ox_hour", "above_standard"), "KR": ("korea_o3_hour", "bad")}
_UG_A_PPM = 1e6 / float(ozone_ppm(1e6))


@lru_cache(maxsize=64)
def ozone_limit(country: Country, begins: datetime) -> float:
    """Return the country's standard for a day's ozone in force when the day begins.

    Parameters
    ----------
    country : str
        ISO 3166-1, alpha-2.
    begins : datetime
        Aware: the beginning of the day.

    Returns
    -------
    float
        ug m-3; ppm as ozone at 298.15 K and 1013.25 hPa. Of the daily maximum 8-hour mean: China, class 2 of GB 3095, the
        breakpoint of AQI 100; the United States, the breakpoint of AQI 100; elsewhere the guideline of the WHO (2021). Of
        any hour: Japan, the environmental standard of 1973-05-08 for photochemical oxidants, 0.06 ppm; Korea, the upper end
        of the grade "moderate".
    """
    if country == "CN":
        standard = china_standard(begins)
        return standard.tables["daily"]["o3_8h"][standard.index.index(100.0)]
    if country == "US":
        return us_concentration("o3_8h", 100) * _UG_A_PPM
    if country in HOURLY_OZONE:
        return band_above(*HOURLY_OZONE[country]) * _UG_A_PPM
    return band_above("who_o3_8h", "it2")


def daily_exceedance(forecast: xr.Dataset, observations: xr.Dataset | None, registry: Registry) -> xr.Dataset:
    """Return the probability that each day of a forecast exceeds its country's standards.

    The daily value is computed at every quantile of the hours, which are taken as comonotone
    (the widest range of a mean); between the quantiles the probability is interpolated.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast" with ``pm25`` and ``o3``.
    observations : xarray.Dataset or None
        Contract "observations", for the hours of the first day up to the init time.
    registry : Registry
        Gives countries and time zones.

    Returns
    -------
    xarray.Dataset
        ``pm25_exceedance`` and ``o3_exceedance`` (date, city), 0 to 1, NaN where a day has too few hours;
        ``pm25_limit`` (of the daily mean) and ``o3_limit`` (of the daily maximum 8-hour mean; Japan and Korea: of
        the highest hour) (date, city), ug m-3.
    """
    hours = [joined_hours(forecast, observations, quantile) for quantile in QUANTILES]
    days, cities = forecast_days(forecast, registry), [registry.city(str(c)) for c in forecast["city"].values]
    result = xr.Dataset(coords={"date": days, "city": forecast["city"].values})
    for name, limit_of in (("pm25", pm25_limit), ("o3", ozone_limit)):
        limits = np.array([[limit_of(city.country, day_begins(city, day)) for city in cities] for day in days])
        values = _daily(hours, registry, days, name)
        result[f"{name}_exceedance"] = (("date", "city"), exceedance_probability(values, limits), {"units": "1"})
        result[f"{name}_limit"] = (("date", "city"), limits, {"units": "ug m-3"})
    return result


def _daily(
    hours: list[xr.Dataset], registry: Registry, days: npt.NDArray[np.datetime64], name: str
) -> npt.NDArray[np.float64]:
    """Return the daily value that a standard limits, (date, city, quantile)."""
    if name == "pm25":
        return np.stack([daily_mean(one, registry, name)[name].reindex(date=days).values for one in hours], axis=-1)
    means = np.stack([mda8(one, registry, name)[name].reindex(date=days).values for one in hours], axis=-1)
    dates, _ = local_hours(hours[0], registry)
    highest = np.stack([by_day(one[name].values, dates, days, np.max) for one in hours], axis=-1)
    hourly = np.array([registry.city(str(city)).country in HOURLY_OZONE for city in hours[0]["city"].values])
    # The highest hour counts where the day has the hours that its 8-hour means need.
    return np.where(hourly[:, None], np.where(np.isfinite(means), highest, np.nan), means)
