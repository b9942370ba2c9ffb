"""What a map and a table of days need: all cities by hour in one compact answer, and a city's days ahead."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from fastapi import APIRouter, HTTPException, Query, Request

from alerts.maps import SCALES
from forecast.indices import category_of
from forecast.layers import LAYERS, daily_layers, hourly_layers
from grids.cities import Registry
from grids.errors import InputError
from services.api_common import INVALID, NOT_FOUND, UNCHANGED, known_city, latest_run
from services.api_models import CityLayersOut, DailyOut, DayOut, LayerOut, MapOut
from services.inputs import as_datetime
from services.maps import load_forecast
from services.store import Store
from services.tables import ForecastRun
from services.web.answers import keep
from services.web.places import Chosen

Layer = Literal["pm25", "o3", "aqi", "visibility", "haze_grade"]
# A map shows no more: whole ug m-3, visibility to 10 m.
_DECIMALS = {"pm25": 0, "o3": 0, "aqi": 0, "visibility": -1, "haze_grade": 0}


def product_routes(store: Store, registry: Registry) -> APIRouter:
    """Return the routes ``/map`` and ``/cities/{id}/daily``."""
    router = APIRouter(tags=["forecasts"])

    # A run's file has a name of its own, so what was reckoned from it stays true.
    @lru_cache(maxsize=4)
    def by_hour(path: str) -> xr.Dataset:
        return hourly_layers(load_forecast(path))

    @lru_cache(maxsize=4)
    def by_day(path: str) -> xr.Dataset:
        return daily_layers(load_forecast(path), registry)

    @router.get("/map", responses=NOT_FOUND | INVALID | UNCHANGED)
    def layers(
        request: Request,
        places: Chosen,
        layer: Annotated[
            list[Layer] | None, Query(description="Only these layers; may be repeated.", examples=[["pm25"]])
        ] = None,
    ) -> MapOut:
        """All cities and hours of the latest forecast at once, for a map with a time slider.

        `values` of a city stand in the order of `times`; null where there is none. AQI is China's of the
        hourly report from PM2.5 and ozone; `haze_grade` is 0 (none) to 4 (severe) of QX/T 113-2010.
        """
        run = latest_run(store)
        keep(request, modified=run.created_at)
        hours = _of_run(run, by_hour)
        known = set(hours["city"].values)
        wanted = [name for name in LAYERS if layer is None or name in layer]
        return MapOut(
            init_time=run.init_time,
            simulated=run.simulated,
            degraded=run.degraded,
            model_id=run.model_id,
            weather_source=run.weather_source,
            humidity_source=run.humidity_source,
            observations_until=run.observations_until,
            times=[as_datetime(time) for time in hours["time"].values],
            layers={name: _layer(name, hours[name]) for name in wanted},
            cities=[
                CityLayersOut(
                    **city.model_dump(exclude={"elevation", "code"}),
                    values={n: rounded(hours[n].sel(city=city.id).values, _DECIMALS[n]) for n in wanted},
                )
                for city in places.of(registry)
                if city.id in known
            ],
        )

    @router.get("/cities/{city_id}/daily", responses=NOT_FOUND | UNCHANGED)
    def daily(request: Request, city_id: str) -> DailyOut:
        """A city's days in the latest forecast, by its own clock: means, maxima, AQI, visibility and haze.

        Means and indices are null where too few hours of a day are forecast, as on the first and last.
        """
        city, run = known_city(registry, city_id), latest_run(store)
        days = _of_run(run, by_day)
        if city_id not in days["city"].values:
            raise HTTPException(404, f"the latest forecast ({run.init_time.isoformat()}) has no values for {city_id}")
        keep(request, modified=run.created_at)
        here = days.sel(city=city_id)
        return DailyOut(
            city=city_id,
            init_time=run.init_time,
            simulated=run.simulated,
            degraded=run.degraded,
            time_zone=city.time_zone,
            days=[_day(here.isel(date=at)) for at in range(here.sizes["date"]) if int(here["hours"][at]) > 0],
        )

    return router


def _of_run(run: ForecastRun, make: Any) -> xr.Dataset:
    try:
        made: xr.Dataset = make(run.netcdf_path)
    except InputError as error:
        raise HTTPException(404, f"the forecast of {run.init_time.isoformat()} is gone: {error}") from error
    return made


def _layer(name: str, values: xr.DataArray) -> LayerOut:
    scale = SCALES.get(name)
    return LayerOut(
        units=str(values.attrs["units"]),
        bounds=list(scale.bounds) if scale else None,
        colours=list(scale.colours) if scale else None,
    )


def rounded(values: npt.NDArray[np.floating[Any]], decimals: int) -> list[float | None]:
    """Return values as JSON can hold them: rounded, and None for what is missing; whole numbers as such."""
    kept = np.round(np.asarray(values, np.float64), decimals).tolist()
    whole = decimals <= 0
    return [None if value != value else int(value) if whole else value for value in kept]


def _day(day: xr.Dataset) -> DayOut:
    values: dict[str, float | None] = {
        name: rounded(day[name].values[None], 1 if "m-3" in day[name].attrs.get("units", "ug m-3") else 0)[0]
        for name in ("pm25_mean", "pm25_max", "o3_max", "o3_mda8", "aqi", "visibility_min", "haze_grade")
    }
    aqi = values["aqi"]
    return DayOut(
        date=pd.Timestamp(day["date"].values).date(),
        hours=int(day["hours"]),
        aqi_category=None if aqi is None else category_of("china", aqi).id,
        aqi_standard=str(day["standard"].values),
        **values,
    )
