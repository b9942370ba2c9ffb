"""What a forecast cycle reads: observations, past weather and the weather of the coming hours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from hazecast.forecast.matching import matched_to
from hazecast.grids.contract import HISTORY_HOURS, describe
from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import OBSERVATIONS_FILE, MonitorData, read_observations
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import format_time, to_datetime, to_datetime64
from hazecast.grids.weather.files import read_weather_at_cities
from hazecast.grids.weather.timeline import to_hourly
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.store.composition_cycles import KnownComposition
from hazecast.services.store.weather_cycles import KnownWeather
from hazecast.services.work.sample import WEATHER_FILE, write_sample

log = logging.getLogger(__name__)

LIVE_OBSERVATIONS: Literal["live"] = "live"
NO_WEATHER = "none"
LIVE_WEATHER = "live"
OBSERVED_WEATHER = "observed"
# Counted in `MonitorData.counts`.
FUTURE_HOURS = "future_hours"
NO_COMPOSITION = "none"
# Why a forecast from PM2.5 alone is degraded.
NO_AIR = (
    "weather: none is known, before or after the init time; without humidity nothing is said of visibility and haze"
)
# Gives what has been ingested of observations up to an init time.
LiveObservations = Callable[[datetime], MonitorData]
# Gives the ingested weather that may be seen at an init time, at cities; None if there is none.
LiveWeather = Callable[[datetime, Sequence[City]], KnownWeather | None]
# Gives the ingested forecast of a chemistry model that may be seen at an init time, at cities; None if there is none.
LiveComposition = Callable[[datetime, Sequence[City]], KnownComposition | None]


@dataclass(frozen=True)
class CycleInputs:
    """Observations and weather of one cycle; `future` is None where no weather forecast is given.

    `weather_reasons` are the faults of the weather; `weather_observed` is true where observed weather is used in place
    of a forecast. `composition`, contract "composition", is the newest forecast of a chemistry model that was known at
    the init time; without one a forecast is not degraded. `init_age` is how old the init time is that the newest
    observation gave; None where it was chosen.
    """

    monitors: MonitorData
    past: xr.Dataset | None
    future: xr.Dataset | None
    weather_source: str
    simulated: bool
    weather_reasons: tuple[str, ...] = ()
    weather_observed: bool = False
    composition: xr.Dataset | None = None
    composition_source: str = NO_COMPOSITION
    init_age: timedelta | None = None


def load_inputs(
    registry: Registry,
    observations_dir: Path | Literal["live"] | None,
    weather: str,
    init_time: datetime | None,
    sample_dir: Path,
    live_observations: LiveObservations,
    live_weather: LiveWeather,
    live_composition: LiveComposition,
    *,
    now: datetime,
) -> tuple[CycleInputs, datetime]:
    """Read everything one cycle needs, before anything is stored.

    Parameters
    ----------
    registry : Registry
    observations_dir : Path, "live" or None
        A collection that `hazecast.grids.observations.collections` reads, what has been ingested, or None for the
        simulated sample.
    weather : str
        ``"none"``, ``"live"`` (the newest ingested), ``"observed"`` (the collection's own weather
        in place of a forecast) or the path of weather files.
    init_time : datetime or None
        Aware; None for the newest observed hour, or this hour with the sample or live.
    sample_dir : Path
        Where the sample is written.
    live_observations, live_weather, live_composition : callable
    now : datetime
        The current time, aware: no init time may be later.

    Returns
    -------
    inputs : CycleInputs
    init_time : datetime
        Aware, UTC, a whole hour.

    Raises
    ------
    InputError
        If a file can't be read, or the init time is in the future, between hours or outside
        the observations.
    """
    newest = init_time is None and observations_dir is not None
    if init_time is not None:
        init_time = _checked(init_time, now)
    if observations_dir is None:
        init_time = init_time or _hour_of(now)
        write_sample(sample_dir, registry, init_time)
        weather, observations_dir = str(sample_dir / WEATHER_FILE), sample_dir
    if observations_dir == LIVE_OBSERVATIONS:
        # This hour, not the newest received: it must show when monitors stop reporting.
        init_time = init_time or _hour_of(now)
        monitors = live_observations(init_time)
    else:
        monitors = _until(_observed(Path(observations_dir), registry), now)
        init_time = init_time or _newest_hour(monitors)
    _check_covered(monitors, init_time)
    simulated = bool(monitors.observations.attrs.get("simulated", 0))
    age = now - init_time if newest else None
    if weather == LIVE_WEATHER:
        inputs = _with_live_weather(monitors, registry, init_time, simulated, live_weather)
    else:
        past, future, source = _weather(monitors, weather, registry, init_time)
        observed = weather == OBSERVED_WEATHER
        inputs = CycleInputs(monitors, past, future, source, simulated, weather_observed=observed)
    inputs = replace(inputs, init_age=age)
    return _with_composition(inputs, registry, init_time, live_composition), init_time


def _with_composition(
    inputs: CycleInputs, registry: Registry, init_time: datetime, live_composition: LiveComposition
) -> CycleInputs:
    # A real model says nothing of simulated observations.
    cities = [registry.city(str(c)) for c in inputs.monitors.observations["city"].values]
    known = None if inputs.simulated else live_composition(init_time, cities)
    return inputs if known is None else replace(inputs, composition=known.dataset, composition_source=known.source)


def _with_live_weather(
    monitors: MonitorData, registry: Registry, init_time: datetime, simulated: bool, live_weather: LiveWeather
) -> CycleInputs:
    known = live_weather(init_time, [registry.city(str(c)) for c in monitors.observations["city"].values])
    if known is None:
        # A forecast from observed weather alone, or from none, is worth more than none, as long as it is labelled.
        reason = f"weather: no cycle issued by {init_time:%Y-%m-%dT%HZ} has been ingested"
        reasons = (reason,) if monitors.weather is not None else (reason, NO_AIR)
        return CycleInputs(monitors, monitors.weather, None, "none: nothing was ingested", simulated, reasons)
    if monitors.weather is None:
        return CycleInputs(monitors, known.past, known.future, known.source, simulated, known.reasons)
    # As with files: a grid's weather is brought to the stations' own by the hours that both hold.
    grid = describe(known.future.combine_first(known.past), "city_weather")
    matched, _ = matched_to(monitors.weather, grid, to_datetime64(init_time))
    future = matched.sel(time=known.future["time"]).assign_attrs(known.future.attrs)
    past = _joined(monitors.weather, matched.assign_attrs(known.past.attrs))
    return CycleInputs(monitors, past, future, known.source, simulated, known.reasons)


def _observed(folder: Path, registry: Registry) -> MonitorData:
    if (folder / OBSERVATIONS_FILE).exists():
        return run_in_subprocess(read_observations, folder, registry, where=str(folder / OBSERVATIONS_FILE))
    return read_observations(folder, registry)


def _until(monitors: MonitorData, now: datetime) -> MonitorData:
    """Leave out and count the hours that are stamped after `now`: a clock or a time zone is wrong."""
    times = monitors.observations["time"].values
    late = int((times > to_datetime64(now)).sum())
    if not late:
        return monitors
    log.warning("%s: %d hours are stamped after now, up to %s, and left out", monitors.source, late, times[-1])
    past = slice(None, to_datetime64(now))
    stations = None if monitors.stations is None else monitors.stations.sel(time=past)
    counts = monitors.counts | {FUTURE_HOURS: late}
    return replace(monitors, observations=monitors.observations.sel(time=past), stations=stations, counts=counts)


def _hour_of(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _checked(init_time: datetime, now: datetime) -> datetime:
    init_time = init_time.astimezone(UTC)
    if init_time > now:
        raise InputError("init_time", format_time(init_time), "a time that is not in the future")
    if init_time != init_time.replace(minute=0, second=0, microsecond=0):
        raise InputError("init_time", format_time(init_time), "a whole hour")
    return init_time


def _newest_hour(monitors: MonitorData) -> datetime:
    pm25 = monitors.observations["pm25"]
    observed = pm25.notnull().any("city").values
    if not observed.any():
        raise InputError(monitors.source, "no valid PM2.5", "at least one observed hour that is not in the future")
    return to_datetime(pm25["time"].values[observed][-1])


def _check_covered(monitors: MonitorData, init_time: datetime) -> None:
    times = monitors.observations["time"].values
    if not len(times):
        raise InputError(f"{monitors.source}: time", "no hour", "at least one hour that is not in the future")
    now = to_datetime64(init_time)
    first, last = to_datetime(times[0]), to_datetime(times[-1])
    recent = monitors.observations["pm25"].sel(time=slice(now - np.timedelta64(HISTORY_HOURS - 1, "h"), now))
    if not np.isfinite(recent).any():
        raise InputError(
            "init_time",
            format_time(init_time),
            f"a time with PM2.5 observed in the {HISTORY_HOURS} h before it; {monitors.source} covers "
            f"{first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}",
        )


def _weather(
    monitors: MonitorData, weather: str, registry: Registry, init_time: datetime
) -> tuple[xr.Dataset | None, xr.Dataset | None, str]:
    if weather == NO_WEATHER:
        return monitors.weather, None, "none: no weather forecast was given"
    if weather == OBSERVED_WEATHER:
        if monitors.weather is None:
            raise InputError("weather", weather, f"observed weather in {monitors.source}, which has none")
        return monitors.weather, monitors.weather, "observed weather in place of a forecast (perfect prog)"
    cities = [registry.city(str(c)) for c in monitors.observations["city"].values]
    sampled = to_hourly(run_in_subprocess(read_weather_at_cities, Path(weather), cities, where=weather))
    issued = sampled.attrs.get("init_time")
    if issued and datetime.fromisoformat(str(issued)).astimezone(UTC) > init_time:
        raise InputError(f"{weather}: init_time", issued, f"weather issued by {format_time(init_time)}")
    kind = f"forecast of {issued}" if issued else "no init time: an analysis in place of a forecast (perfect prog)"
    if monitors.weather is None:
        return sampled, sampled, f"{sampled.attrs['source']}, {kind}"
    # Measured before, of a grid after: the coming weather is brought to the stations' own.
    sampled, hours = matched_to(monitors.weather, sampled, to_datetime64(init_time))
    log.info("weather matched to the stations' own by the hours both hold: %s", hours)
    past = _joined(monitors.weather, sampled)
    return past, sampled, f"{sampled.attrs['source']}, {kind}"


def _joined(observed: xr.Dataset, sampled: xr.Dataset) -> xr.Dataset:
    return describe(observed.combine_first(sampled).assign_attrs(source=observed.attrs["source"]), "city_weather")


def forecast_cities(
    monitors: MonitorData, registry: Registry, init_time: datetime, wanted: tuple[str, ...] = ()
) -> tuple[list[City], dict[str, str]]:
    """Choose the cities that can be forecast.

    Parameters
    ----------
    monitors : MonitorData
    registry : Registry
    init_time : datetime
    wanted : tuple of str
        City ids wanted; empty for all.

    Returns
    -------
    cities : list of City
        Those with PM2.5 observed in the 72 h before `init_time`.
    skipped : dict of str to str
        The others, each with the reason.

    Raises
    ------
    InputError
        If a wanted city is unknown, or none is left.
    """
    chosen = [registry.city(name) for name in wanted] or list(registry.cities.values())
    now = to_datetime64(init_time)
    recent = monitors.observations["pm25"].sel(time=slice(now - np.timedelta64(HISTORY_HOURS - 1, "h"), now))
    observed = {str(c) for c in recent["city"].values[recent.notnull().any("time").values]}
    cities = [city for city in chosen if city.id in observed]
    skipped = {city.id: "no PM2.5 observed in the last 72 h" for city in chosen if city.id not in observed}
    if not cities:
        raise InputError("cities", [c.id for c in chosen], f"a city observed in {monitors.source}")
    return cities, skipped


def with_humidity(observations: xr.Dataset, weather: xr.Dataset | None) -> xr.Dataset:
    """Add the relative humidity to observations where it is not measured, but temperature and dew point are known.

    Parameters
    ----------
    observations : xarray.Dataset (time, city)
        Contract "observations".
    weather : xarray.Dataset (time, city) or None
        Contract "city_weather".

    Returns
    -------
    xarray.Dataset (time, city)
        With ``relative_humidity``, %, unless it is not measured and `weather` lacks ``t2m`` or ``d2m``.
    """
    if weather is None or "t2m" not in weather or "d2m" not in weather:
        return observations
    here = weather[["t2m", "d2m"]].reindex(time=observations["time"], city=observations["city"])
    humidity = relative_humidity(here["t2m"].values, here["d2m"].values)
    if "relative_humidity" in observations:
        measured = observations["relative_humidity"].transpose("time", "city").values
        humidity = np.where(np.isfinite(measured), measured, humidity)
    attrs = {"standard_name": "relative_humidity", "units": "%"}
    return observations.assign(relative_humidity=(("time", "city"), humidity, attrs))
