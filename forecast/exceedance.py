"""How likely a day of a forecast exceeds the standard of the city's own country."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

import numpy as np
import xarray as xr

from hazecast.forecast.day_index import pm25_limit
from hazecast.forecast.day_values import day_levels
from hazecast.forecast.days import day_begins, forecast_days
from hazecast.forecast.dependence import Variable
from hazecast.forecast.indices import band_above, china_standard, ozone_ppm, us_concentration
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
        return china_standard(begins).daily_limit("o3_8h")
    if country == "US":
        return us_concentration("o3_8h", 100) * _UG_A_PPM
    if country in HOURLY_OZONE:
        return band_above(*HOURLY_OZONE[country]) * _UG_A_PPM
    return band_above("who_o3_8h", "it2")


def daily_exceedance(forecast: xr.Dataset, observations: xr.Dataset | None, registry: Registry) -> xr.Dataset:
    """Return the probability that each day of a forecast exceeds its country's standards.

    The probability is the share of the day's values, as from `hazecast.forecast.day_values.day_levels`, that are above.

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
    days, cities = forecast_days(forecast, registry), [registry.city(str(c)) for c in forecast["city"].values]
    result = xr.Dataset(coords={"date": days, "city": forecast["city"].values})
    limits_of: tuple[tuple[Variable, Callable[[Country, datetime], float]], ...] = (
        ("pm25", pm25_limit),
        ("o3", ozone_limit),
    )
    for name, limit_of in limits_of:
        limits = np.array([[limit_of(city.country, day_begins(city, day)) for city in cities] for day in days])
        values = day_levels(forecast, observations, registry, name, days)
        if name == "o3":
            hourly = np.array([city.country in HOURLY_OZONE for city in cities])
            # The highest hour counts where the day has the hours that its 8-hour means need.
            hours = day_levels(forecast, observations, registry, name, days, highest=True)
            values = np.where(hourly, hours, values)
        above = np.where(np.isnan(values[0]), np.nan, (values > limits).mean(axis=0))
        result[f"{name}_exceedance"] = (("date", "city"), above, {"units": "1"})
        result[f"{name}_limit"] = (("date", "city"), limits, {"units": "ug m-3"})
    return result
