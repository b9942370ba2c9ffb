"""Products of the latest forecast: cities by hour in compact answers, and a city's days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from hazecast.alerts.maps.scales import SCALES
from hazecast.forecast.daily import BOUNDS, daily_outlook
from hazecast.forecast.day_index import DayIndex, day_index
from hazecast.forecast.exceedance import daily_exceedance
from hazecast.forecast.layers import LAYERS, hourly_layers
from hazecast.forecast.reports import china_report_before, us_current_index, us_day_index
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import format_time, to_datetime, to_datetime64
from hazecast.services.core.field_limits import at_most
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.web.answers import cache_answer
from hazecast.services.web.daily_table import DAY_VARIABLES, DayVariable, day_table
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.negotiate import AsFormat, Format, answer, as_json, choose, representations
from hazecast.services.web.pages import link_next
from hazecast.services.web.places import Chosen, Paged
from hazecast.services.web.routes.common import INVALID, NOT_FOUND, UNCHANGED, coordinates, known_city, run_of
from hazecast.services.web.schemas.daily import (
    CurrentIndexOut,
    DailyOut,
    DailyReportOut,
    DayOut,
    DayRangeOut,
    ExceedanceOut,
    IndexOut,
    PartDailyOut,
)
from hazecast.services.web.schemas.forecasts import (
    CityLayersOut,
    LayerOut,
    MapOut,
)
from hazecast.services.web.selection import InZone, OfRun, zone_of
from hazecast.services.web.tabular import table_answer
from hazecast.services.work.stored_forecast import stored_part

Layer = Literal["pm25", "o3", "aqi", "visibility", "haze_grade"]
# Reaches back to the beginning of yesterday in any time zone.
_TWO_DAYS = timedelta(hours=47)
# A map shows no more: whole ug m-3, visibility to 10 m.
_DECIMALS = {"pm25": 0, "o3": 0, "aqi": 0, "visibility": -1, "haze_grade": 0}
_DAY_FORMATS: tuple[Format, ...] = ("json", "csv", "parquet")
_CONCENTRATIONS = ("pm25_mean", "pm25_max", "o3_max", "o3_mda8")
_UNITS = dict.fromkeys(_CONCENTRATIONS, "ug m-3") | {"exceedance": "1", "visibility_min": "m", "haze_grade": "1"}


router = APIRouter(tags=["forecasts"])


def _by_hour(service: Service, run: ForecastRun, cities: Sequence[City]) -> xr.Dataset:
    return hourly_layers(stored_part(service.store, run, [city.id for city in cities]))


def _by_day(service: Service, run: ForecastRun, city: City) -> xr.Dataset:
    forecast = stored_part(service.store, run, [city.id])
    if not forecast.sizes["city"]:
        raise HTTPException(404, f"the latest forecast ({format_time(run.init_time)}) has no values for {city.id}")
    try:
        observed = observed_hours(
            service.store, run.init_time - timedelta(hours=23), run.init_time, run.simulated, city.id
        )
    except InputError:
        observed = None
    # The city as it is given: its days may be wanted by another clock.
    alone = Registry(cities={city.id: city}, regions={})
    return daily_outlook(forecast, observed, alone).merge(daily_exceedance(forecast, observed, alone))


@lru_cache(maxsize=256)
def _observed_indices(
    service: Service, city: City, init_time: datetime, simulated: bool
) -> tuple[CurrentIndexOut | None, DailyReportOut | None]:
    try:
        observed = observed_hours(service.store, init_time - _TWO_DAYS, init_time, simulated, city.id)
    except InputError:
        return None, None
    return _current(observed, city, init_time), _report(observed, city, init_time, service.registry)


@router.get("/map", responses=NOT_FOUND | INVALID | UNCHANGED)
def layers(
    service: Given,
    request: Request,
    response: Response,
    places: Chosen,
    paged: Paged,
    variables: Annotated[
        list[Layer] | None,
        Query(description="Only these; may be repeated.", examples=[["pm25"]], max_length=20),
        at_most(20),
    ] = None,
    init_time: OfRun = None,
    timezone: InZone = None,
) -> MapOut:
    """All hours of a forecast at once, for a map with a time slider, in pages of cities.

    `values` of a city are in the order of `times`; null where there is none. AQI is China's of the
    hourly report from PM2.5 and ozone; `haze_grade` is 0 (none) to 4 (severe) of QX/T 113-2010, and 5 below 1 km.
    """
    run, zone = run_of(service.store, init_time), zone_of(timezone, "UTC")
    cache_answer(request, modified=run.created_at)
    page, following = paged.of(places.of(service.registry))
    link_next(response, request, following)
    hours = _by_hour(service, run, page)
    known = set(hours["city"].values)
    times = [to_datetime(time) for time in hours["time"].values]
    wanted = [name for name in LAYERS if variables is None or name in variables]
    return MapOut(
        init_time=run.init_time,
        simulated=run.simulated,
        degraded=run.degraded,
        model_id=run.model_id,
        weather_source=run.weather_source,
        humidity_source=run.humidity_source,
        observations_until=run.observations_until,
        times=times,
        local_times=None if timezone is None else [time.astimezone(zone) for time in times],
        layers={name: _layer(name, hours[name]) for name in wanted},
        items=[
            CityLayersOut(
                **city.model_dump(exclude={"elevation", "code"}) | coordinates(city),
                values={n: rounded(hours[n].sel(city=city.id).values, _DECIMALS[n]) for n in wanted},
            )
            for city in page
            if city.id in known
        ],
        next=following,
    )


@router.get(
    "/cities/{city_id}/daily",
    response_class=JSONResponse,
    responses=NOT_FOUND | INVALID | UNCHANGED | representations(*_DAY_FORMATS, like=PartDailyOut),
)
def daily(
    service: Given,
    request: Request,
    city_id: str,
    variables: Annotated[
        list[DayVariable] | None,
        Query(description="Only these; may be repeated.", examples=[["pm25_mean"]], max_length=20),
        at_most(20),
    ] = None,
    init_time: OfRun = None,
    timezone: InZone = None,
    form: AsFormat = None,
) -> Response:
    """A city's days in a forecast, by its own clock: means, maxima, index, visibility and haze.

    The first day begins with what was observed of it. Means are null where too few hours of a day are known,
    as mostly on the last. The index is that of the city's own country: China's AQI, or Japan's standards; beside it
    are the US AQI and the probability of exceeding the country's standards. `current` and `report` rate what was
    observed: the hour of the init time by the US AQI with NowCast, and a Chinese city's last whole day.
    """
    chosen, city = choose(request, form, _DAY_FORMATS), known_city(service.registry, city_id)
    run, zone = run_of(service.store, init_time), zone_of(timezone, city.time_zone).key
    days = _by_day(service, run, city.model_copy(update={"time_zone": zone}))
    cache_answer(request, modified=run.created_at)
    here = days.sel(city=city_id)
    current, report = _observed_indices(service, city, run.init_time, run.simulated)
    found = DailyOut(
        city=city_id,
        init_time=run.init_time,
        simulated=run.simulated,
        degraded=run.degraded,
        time_zone=zone,
        units={name: unit for name, unit in _UNITS.items() if not variables or name in variables}
        | (dict.fromkeys(("pm25_limit", "o3_limit"), "ug m-3") if not variables or "exceedance" in variables else {})
        | (dict.fromkeys(("pm25", "pm10"), "ug m-3") if current is not None else {}),
        days=[_day(city, here.isel(date=at)) for at in range(here.sizes["date"])],
        current=current,
        report=report,
    )
    left_out: set[str] = {name for name in DAY_VARIABLES if variables and name not in variables}
    content = found.model_dump(mode="json", exclude={"days": {"__all__": left_out}})
    if chosen in ("csv", "parquet"):
        kept = [name for name in DAY_VARIABLES if name not in left_out]
        name = f"{city_id}-daily-{run.init_time:%Y%m%dT%H%MZ}"
        return table_answer(service, request, chosen, *day_table(content, kept), name=name)
    return answer(as_json(content), "json")


def _layer(name: str, values: xr.DataArray) -> LayerOut:
    scale = SCALES.get(name)
    return LayerOut(
        units=str(values.attrs["units"]),
        bounds=list(scale.bounds) if scale else None,
        colours=list(scale.colours) if scale else None,
    )


def rounded(values: npt.NDArray[np.floating[Any]], decimals: int) -> list[float | None]:
    """Return values as JSON can hold them.

    Parameters
    ----------
    values : array (n,)
    decimals : int
        To which they are rounded; with 0 or fewer they are integers.

    Returns
    -------
    list of float or None
        None for NaN.
    """
    plain = np.round(np.asarray(values, np.float64), decimals).tolist()
    whole = decimals <= 0
    return [None if value != value else int(value) if whole else value for value in plain]


def _day(city: City, day: xr.Dataset) -> DayOut:
    def range_of(name: str) -> DayRangeOut:
        low, middle, high = (_rounded_value(day[name].sel(quantile=bound), 1) for bound in BOUNDS)
        return DayRangeOut(q10=low, q50=middle, q90=high)

    date = np.datetime64(day["date"].item(), "ns")
    pm25, o3 = (float(day[name].sel(quantile=0.5)) for name in ("pm25_mean", "o3_mda8"))
    index = day_index(city, date, pm25, o3, float(day["o3_max"]), float(day["pm25_max"]))
    seen, grade = float(day["visibility_min"]), int(day["haze_grade"])
    us = us_day_index(pm25, o3, float(day["o3_max"]))
    return DayOut(
        date=to_datetime(date).date(),
        observed_hours=int(day["observed_hours"]),
        pm25_mean=range_of("pm25_mean"),
        pm25_max=_rounded_value(day["pm25_max"], 1),
        o3_max=_rounded_value(day["o3_max"], 1),
        o3_mda8=range_of("o3_mda8"),
        index=_index(index),
        us_aqi=_index(us),
        exceedance=ExceedanceOut(
            pm25=_rounded_value(day["pm25_exceedance"], 2),
            pm25_limit=round(float(day["pm25_limit"]), 1),
            o3=_rounded_value(day["o3_exceedance"], 2),
            o3_limit=round(float(day["o3_limit"]), 1),
        ),
        visibility_min=None if np.isnan(seen) else int(round(seen, -1)),
        haze_grade=None if grade < 0 else grade,
    )


def _index(found: DayIndex | None) -> IndexOut | None:
    return None if found is None else IndexOut(**asdict(found))


def _current(observed: xr.Dataset, city: City, init_time: datetime) -> CurrentIndexOut | None:
    found = us_current_index(observed, city.id, to_datetime64(init_time))
    if found is None:
        return None
    pm25, pm10 = rounded(np.array([found.pm25, found.pm10]), 1)
    return CurrentIndexOut(time=to_datetime(found.time), pm25=pm25, pm10=pm10, us_aqi=IndexOut(**asdict(found.index)))


def _report(observed: xr.Dataset, city: City, init_time: datetime, registry: Registry) -> DailyReportOut | None:
    found = china_report_before(observed, city, to_datetime64(init_time), registry) if city.country == "CN" else None
    if found is None:
        return None
    return DailyReportOut(date=to_datetime(found.date).date(), aqi=IndexOut(**asdict(found.index)), parts=found.parts)


def _rounded_value(value: xr.DataArray, decimals: int) -> float | None:
    return rounded(value.values[None], decimals)[0]
