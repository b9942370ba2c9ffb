"""One forecast cycle: read, forecast, warn, draw, and store it all in one transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.alerts.engine.engine import Assessment, advance, assess, signal_window
from hazecast.alerts.engine.warning import HazeWarning, in_force_at
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.inputs import windows_at
from hazecast.forecast.produce import make_forecast, with_transport
from hazecast.forecast.products import next_24h, valid_times
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry, load_registry
from hazecast.grids.times import to_datetime64
from hazecast.models.interface import Attributed, Calibrated, Model
from hazecast.models.registry import ModelRegistry, load_trained
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import whole_file
from hazecast.services.core.logs import log_context
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.store.database import shown
from hazecast.services.store.monitors import stored_monitors
from hazecast.services.store.store import Store
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.adaptation import adapt, with_calibration
from hazecast.services.work.inputs import CycleInputs, forecast_cities, load_inputs, shortcomings, with_humidity
from hazecast.services.work.maps import Look, draw_haze
from hazecast.services.work.report import CityLine, CycleReport, as_dict
from hazecast.services.work.verification import verify

log = logging.getLogger(__name__)


def run_cycle(
    settings: Settings, *, init_time: datetime | None = None, cities: tuple[str, ...] = (), clock: Clock = utc_now
) -> CycleReport:
    """Run one cycle and store what it gives.

    Run again for the same init time it replaces its own results; killed at any moment it
    leaves the results of earlier cycles whole.

    Parameters
    ----------
    settings : Settings
    init_time : datetime, optional
        Aware; by default the newest observed hour.
    cities : tuple of str
        City ids; by default all that are observed.
    clock : callable
        Gives the current time, aware.

    Returns
    -------
    CycleReport

    Raises
    ------
    InputError
        If input is unusable. Nothing but the failed cycle is then in the store.
    StoreError
        If the database or a file can't be written. Nothing of the cycle is then in the store.
    """
    registry = load_registry()
    book = rule_book(settings)
    for city in cities:
        registry.city(city)
    store = Store(settings.database_url, clock)
    try:
        store.migrate()
        store.recover()
        cycle_id = store.begin_cycle(init_time, settings.inputs.observations_dir is None)
        try:
            with log_context(cycle=cycle_id):
                report = _run(settings, store, cycle_id, registry, book, init_time, cities)
        except BaseException as error:
            try:
                store.finish_cycle(cycle_id, "failed", error=f"{type(error).__name__}: {error}")
            except StoreError as fault:
                # The next cycle will find this one dead.
                log.error("cycle %d failed, and that can't be noted: %s", cycle_id, fault)
            raise
        store.finish_cycle(cycle_id, report.status, report=as_dict(report))
        return report
    finally:
        store.close()


def _run(
    settings: Settings,
    store: Store,
    cycle_id: int,
    registry: Registry,
    book: RuleBook,
    init_time: datetime | None,
    wanted: tuple[str, ...],
) -> CycleReport:
    inputs, now = load_inputs(
        registry,
        settings.inputs.observations_dir,
        settings.inputs.weather,
        init_time,
        settings.data_dir / "sample",
        lambda at: stored_monitors(store, registry, at, preference=settings.ingest.monitor_sources),
        lambda at, places: WeatherStore(settings.weather_dir).known(at, places, settings.ingest.weather_sources),
        now=store.clock(),
    )
    cities, skipped = forecast_cities(inputs.monitors, registry, now, wanted)
    model, model_id, fault = _model(settings)
    reasons = [*shortcomings(inputs, cities, now), *fault]
    if isinstance(model, Calibrated) and not inputs.simulated:
        adapt(model, model_id, store, inputs.monitors.observations, now)
    forecast = _forecast(inputs, cities, now, model, model_id, degraded=bool(reasons))
    observations = _known(inputs, cities, now)
    warned = _warn(settings, store, inputs, forecast, cities, registry, book, now)
    ruleset, assessments = book.haze_signal, warned.haze
    window = signal_window(now, ruleset)
    netcdf_path, map_path = _paths(settings, now, cycle_id, inputs.simulated)
    store.note_files(cycle_id, now, inputs.simulated, (netcdf_path, map_path))
    _write_netcdf(forecast, netcdf_path)
    standing = in_force_at([*store.warnings_before(now, inputs.simulated), *warned.messages], now)
    with whole_file(map_path) as part:
        part.write_bytes(draw_haze(forecast, registry, ruleset, standing, Look()))
    store.save_run(
        forecast,
        observations,
        warned.messages,
        netcdf_path=netcdf_path,
        map_path=map_path,
        cycle_id=cycle_id,
        proposals=warned.proposals,
        drafted=warned.drafted,
    )
    return CycleReport(
        init_time=now,
        status="degraded" if reasons else "done",
        simulated=inputs.simulated,
        model_id=str(forecast.attrs["model_id"]),
        weather_source=inputs.weather_source,
        humidity_source=str(forecast.attrs["humidity_source"]),
        observations_source=inputs.monitors.source,
        window=window,
        lines=_lines(forecast, observations, registry, ruleset, assessments),
        skipped=skipped,
        warnings=tuple(_sentence(message, registry, book) for message in warned.messages),
        drafts=tuple(_sentence(message, registry, book) for message in warned.proposals),
        counts=inputs.monitors.counts,
        reasons=tuple(reasons),
        verification=_verified(settings, store, now, inputs.simulated),
        netcdf_path=netcdf_path,
        map_path=map_path,
        database=shown(settings.database_url),
    )


def _model(settings: Settings) -> tuple[Model, str, list[str]]:
    """Return the model in service and its id; where it can't be loaded the shipped one, with the reason."""
    try:
        return *load_trained(ModelRegistry(settings.models_dir)), []
    except InputError as error:
        log.error("the model in service can't be loaded, the shipped one stands in: %s", error)
        return *load_trained(), [f"the model in service can't be loaded, the shipped one stands in: {error}"]


def _verified(settings: Settings, store: Store, now: datetime, simulated: bool) -> tuple[str, ...]:
    """Score what has come due and say how the model stands; a fault here costs no forecast."""
    if simulated:
        return ()
    try:
        return verify(settings, store, now).standing.sentences
    except Exception as error:
        log.exception("verification failed")
        return (f"failed: {type(error).__name__}: {error}",)


def _forecast(
    inputs: CycleInputs, cities: list[City], now: datetime, model: Model, model_id: str, *, degraded: bool
) -> xr.Dataset:
    init = to_datetime64(now)
    observations = inputs.monitors.observations
    windows = windows_at(
        observations, inputs.past, cities, init,
        future_weather=inputs.future, weather_observed=inputs.weather_observed,
    )  # fmt: skip
    ids = [city.id for city in cities]
    pm25 = observations["pm25"].sel(city=ids, time=slice(None, init))
    newest = pm25["time"].values[pm25.notnull().any("city").values][-1]
    forecast = make_forecast(
        model,
        model_id,
        windows,
        ids,
        init,
        weather_source=inputs.weather_source,
        observations_until=newest,
        simulated=inputs.simulated,
        degraded=degraded,
    )
    forecast = _with_weather(forecast, inputs.future)
    if isinstance(model, Calibrated):
        forecast = with_calibration(forecast, model, windows.informed)
    if isinstance(model, Attributed) and windows.informed.any():
        forecast = with_transport(forecast, model.from_elsewhere(windows))
    return forecast


def _known(inputs: CycleInputs, cities: list[City], now: datetime) -> xr.Dataset:
    """Return what was observed in the 72 h up to the init time at the cities of the run."""
    init = to_datetime64(now)
    times = slice(init - np.timedelta64(71, "h"), init)
    return inputs.monitors.observations.sel(city=[city.id for city in cities], time=times)


@dataclass(frozen=True)
class _Warned:
    """What a run says: messages that go out, messages that wait for a person, and for whom that is asked."""

    messages: list[HazeWarning]
    proposals: list[HazeWarning]
    drafted: set[tuple[str, str]]
    haze: list[Assessment]


def _warn(
    settings: Settings,
    store: Store,
    inputs: CycleInputs,
    forecast: xr.Dataset,
    cities: list[City],
    registry: Registry,
    book: RuleBook,
    now: datetime,
) -> _Warned:
    """Apply to every city the rule sets of its jurisdiction, and those asked for."""
    earlier = store.warnings_before(now, inputs.simulated)
    observations = with_humidity(inputs.monitors.observations, inputs.past)
    result = _Warned([], [], set(), [])
    for rules, ids in book.of_cities(cities, now, settings.warnings.rule_sets):
        assessments = assess(forecast, observations, registry, rules, stations=inputs.monitors.stations, cities=ids)
        messages = advance(earlier, assessments, now, ruleset=rules)
        missing = sum(a.missing_hours for a in assessments)
        if missing:
            log.warning("%s: %d city hours of the window have no value and count as no warning", rules.id, missing)
        if rules.id in settings.warnings.approval:
            result.proposals.extend(messages)
            result.drafted.update((rules.id, city) for city in ids)
        else:
            result.messages.extend(messages)
        if rules.id == book.haze_signal.id:
            result.haze.extend(assessments)
    return result


def _paths(settings: Settings, now: datetime, cycle_id: int, simulated: bool) -> tuple[Path, Path]:
    # A name of its own for each cycle: what an earlier run stored stays whole until this
    # one's transaction has replaced it.
    name = f"{'simulated-' if simulated else ''}{now:%Y%m%dT%H%MZ}-cycle{cycle_id}"
    return settings.data_dir / "forecasts" / f"{name}.nc", settings.data_dir / "maps" / f"{name}.png"


def _write_netcdf(forecast: xr.Dataset, path: Path) -> None:
    encoding: dict[str, dict[str, object]] = {str(name): {"zlib": True, "complevel": 4} for name in forecast.data_vars}
    encoding["lead_time"] = {"units": "hours", "dtype": "int32"}
    encoding["init_time"] = {"units": "hours since 1970-01-01 00:00:00", "dtype": "int64"}
    with whole_file(path) as part:
        forecast.to_netcdf(part, engine="netcdf4", encoding=encoding)


def _with_weather(forecast: xr.Dataset, future: xr.Dataset | None) -> xr.Dataset:
    """Keep the wind and mixing layer that the forecast rests on: they say why a warning was given."""
    names = [name for name in ("u10", "v10", "blh") if future is not None and name in future]
    if future is None or not names:
        return forecast
    air = future[names].sel(city=forecast["city"].values).reindex(time=valid_times(forecast))
    return forecast.assign({name: (("lead_time", "city"), air[name].values, air[name].attrs) for name in names})


def _lines(
    forecast: xr.Dataset,
    observations: xr.Dataset,
    registry: Registry,
    ruleset: RuleSet,
    assessments: list[Assessment],
) -> tuple[CityLine, ...]:
    coming = next_24h(forecast)
    by_city = {a.city: a for a in assessments}
    lines = []
    for city_id in map(str, forecast["city"].values):
        now = float(observations["pm25"].sel(city=city_id).values[-1])
        assessment = by_city.get(city_id)
        level = assessment.level if assessment else None
        here = coming.sel(city=city_id)
        lines.append(
            CityLine(
                city=city_id,
                name=f"{registry.city(city_id).name_en} {registry.city(city_id).name_zh}",
                pm25_now=now if np.isfinite(now) else None,
                pm25_mean_24h=float(here["pm25_mean"]),
                pm25_max_24h=float(here["pm25_max"]),
                o3_max_24h=float(here["o3_max"]),
                haze=ruleset.level_of(level).haze_en if level else "-",
                level=level or "",
            )
        )
    return tuple(sorted(lines, key=lambda line: -line.pm25_max_24h))


def _sentence(message: HazeWarning, registry: Registry, book: RuleBook) -> str:
    level = book.rule_set(message.rule_set).level_of(message.level)
    onset, expires = (t.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ") for t in (message.onset, message.expires))
    peak = max((e.pm25 for e in message.evidence if e.pm25 is not None), default=None)
    reason = "" if peak is None else f", PM2.5 up to {peak:.0f} ug/m3 in {len(message.evidence)} h"
    chance = "" if message.probability is None else f", probability {message.probability:.2f}"
    place = registry.city(message.city).name_en
    return f"{message.kind}: {level.name_en}, {place}, {onset} to {expires}{reason}{chance} ({message.reason})"
