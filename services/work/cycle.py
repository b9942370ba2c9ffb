"""One forecast cycle: read, forecast, warn, draw, and store it all in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning, as_issued, standing_at
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.messages.causes import CAUSE_WEATHER
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.composition import composition_ahead, with_composition
from hazecast.forecast.inputs import windows_at
from hazecast.forecast.produce import in_chunks, make_forecast
from hazecast.forecast.products import valid_times
from hazecast.grids.contract import HISTORY_HOURS, WEATHER
from hazecast.grids.places.cities import City, Registry
from hazecast.grids.times import to_datetime64
from hazecast.models.background import LEVEL_HOURS
from hazecast.models.familiarity import unfamiliar
from hazecast.models.interface import Described, Familiar, Model
from hazecast.models.registry import ModelRegistry, load_serving
from hazecast.models.series import Windows
from hazecast.models.zoo.combined import Combined
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import atomic_write
from hazecast.services.core.logs import log_context
from hazecast.services.core.places import city_registry
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import use_shapes
from hazecast.services.store.city_means import stored_city_hours
from hazecast.services.store.composition_cycles import CompositionStore
from hazecast.services.store.database import redacted
from hazecast.services.store.monitors import stored_monitors
from hazecast.services.store.run_files import link_product, save_product
from hazecast.services.store.store import Store
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.adaptation import adapt, with_experts, with_state
from hazecast.services.work.inputs import (
    LIVE_OBSERVATIONS,
    CycleInputs,
    forecast_cities,
    load_inputs,
    shortcomings,
    with_humidity,
)
from hazecast.services.work.maps import areas_json, areas_shown, draw_haze
from hazecast.services.work.public_haze import areas_name, needs_approval
from hazecast.services.work.report import CycleReport, as_dict, city_lines, excluded_lines, message_line
from hazecast.services.work.stored_forecast import MAP, NETCDF, Look, restore_values, write_netcdf
from hazecast.services.work.verification import verify

log = logging.getLogger(__name__)

# Inputs that lie outside what training saw: so many are named, the rest counted.
_NAMED = 20


def run_cycle(
    settings: Settings, *, init_time: datetime | None = None, cities: tuple[str, ...] = (), clock: Clock = utc_now
) -> CycleReport:
    """Run one forecast cycle and store its results.

    Run again for the same init time it replaces its own results; killed at any moment it
    leaves the results of earlier cycles intact.

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
    registry = city_registry(settings)
    book = rule_book(settings)
    use_shapes(settings)
    for city in cities:
        registry.city(city)
    store = Store(settings.database_url, clock, settings.data_dir)
    try:
        store.migrate()
        store.recover()
        cycle_id = store.begin_cycle(init_time, settings.inputs.observations_dir is None)
        try:
            with log_context(cycle=cycle_id):
                report = _run(_Cycle(cycle_id, settings, store, registry, book), init_time, cities)
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


@dataclass(frozen=True)
class _Cycle:
    """A running cycle: what all its steps use."""

    id: int
    settings: Settings
    store: Store
    registry: Registry
    book: RuleBook


@dataclass(frozen=True)
class _Given:
    """What a forecast is made from: the inputs, the init time and the cities.

    `skipped` gives why other cities are left out; `longer`, contract "observations", reaches further back where the
    inputs hold the last days alone.
    """

    inputs: CycleInputs
    init_time: datetime
    cities: list[City]
    skipped: dict[str, str]
    longer: xr.Dataset | None

    @property
    def city_ids(self) -> list[str]:
        return [city.id for city in self.cities]

    @property
    def history(self) -> xr.Dataset:
        """The observations of the cities in the 72 h up to the init time."""
        init = to_datetime64(self.init_time)
        times = slice(init - np.timedelta64(HISTORY_HOURS - 1, "h"), init)
        return self.inputs.monitors.observations.sel(city=self.city_ids, time=times)


@dataclass(frozen=True)
class _Served:
    """The model in service, its id, and why it is not the one that was chosen, if so."""

    model: Model
    model_id: str
    faults: list[str]

    @cached_property
    def combined(self) -> Combined:
        """The model with the experts it is combined with, as it was trained until it learns from what is stored."""
        return Combined(self.model)


def _run(cycle: _Cycle, init_time: datetime | None, wanted: tuple[str, ...]) -> CycleReport:
    given = _read_inputs(cycle, init_time, wanted)
    served = _load_model(cycle.settings)
    lacking = shortcomings(
        given.inputs, given.cities, given.init_time, weather_needed=_weather_used(served.model), skipped=given.skipped
    )
    _adapt(cycle, given, served)
    forecast, strange = _forecast(given, served)
    reasons = [*lacking, *served.faults, *strange]
    forecast.attrs["degraded"] = int(bool(reasons))
    warned = _warn(cycle, given, forecast)
    netcdf_path, map_path = _write_files(cycle, given, forecast, warned.messages)
    cycle.store.save_run(
        forecast,
        given.history,
        warned.messages,
        netcdf_path=netcdf_path,
        map_path=map_path,
        cycle_id=cycle.id,
        proposals=warned.proposals,
        drafted=warned.drafted,
    )
    verification = _verify(cycle, given)
    return _report(cycle, given, forecast, warned, reasons, verification, (netcdf_path, map_path))


def _read_inputs(cycle: _Cycle, init_time: datetime | None, wanted: tuple[str, ...]) -> _Given:
    settings, store, registry = cycle.settings, cycle.store, cycle.registry
    preference = settings.observation_sources
    inputs, init_time = load_inputs(
        registry,
        settings.inputs.observations_dir,
        settings.inputs.weather,
        init_time,
        settings.data_dir / "sample",
        lambda at: stored_monitors(store, registry, at, preference=preference),
        lambda at, places: WeatherStore(settings.weather_dir).known(at, places, settings.ingest.weather_sources),
        # A cycle runs within the hour after its init time: what was retrieved until then is known to it.
        lambda at, places: CompositionStore(settings.composition_dir).known(
            at + timedelta(hours=1), places, settings.ingest.composition_sources
        ),
        now=store.clock(),
    )
    live = settings.inputs.observations_dir == LIVE_OBSERVATIONS
    longer = stored_city_hours(store, init_time, LEVEL_HOURS, preference=preference) if live else None
    return _Given(inputs, init_time, *forecast_cities(inputs.monitors, registry, init_time, wanted), longer)


def _load_model(settings: Settings) -> _Served:
    """Load the model in service, or what stands in for it, with the reason."""
    served = _Served(*load_serving(ModelRegistry(settings.models_dir)))
    for fault in served.faults:
        log.error("%s", fault)
    return served


def _weather_used(model: Model) -> tuple[str, ...]:
    """Return the weather variables that a model saw in its training; all, where it doesn't say."""
    features = model.describe().get("features", {}) if isinstance(model, Described) else {}
    return tuple(features.get("weather", WEATHER))


def _adapt(cycle: _Cycle, given: _Given, served: _Served) -> None:
    """Let the combination learn from the stored forecasts that were verified since; simulated ones teach nothing."""
    if not given.inputs.simulated:
        adapt(served.combined, served.model_id, cycle.store, given.inputs.monitors.observations, given.init_time)


def _windows(given: _Given, cities: Sequence[City]) -> Windows:
    init, inputs = to_datetime64(given.init_time), given.inputs
    return windows_at(
        inputs.monitors.observations, inputs.past, cities, init,
        future_weather=inputs.future, weather_observed=inputs.weather_observed, longer=given.longer,
        guidance=composition_ahead(inputs.composition, [city.id for city in cities], init),
    )  # fmt: skip


def _forecast(given: _Given, served: _Served) -> tuple[xr.Dataset, list[str]]:
    """Return the forecast, and which inputs lie outside what training saw, in words; see `in_chunks`."""
    strange: list[str] = []
    pm25 = given.inputs.monitors.observations["pm25"]
    pm25 = pm25.sel(city=given.city_ids, time=slice(None, to_datetime64(given.init_time)))
    newest = pm25["time"].values[pm25.notnull().any("city").values][-1]

    def part(cities: Sequence[City]) -> xr.Dataset:
        windows = _windows(given, cities)
        if isinstance(served.model, Familiar):
            strange.extend(map(str, unfamiliar(windows, served.model.familiar)))
        return _part(given, served, windows, newest)

    inputs = given.inputs
    forecast = with_composition(
        _with_weather(in_chunks(given.cities, part), inputs.future), inputs.composition, inputs.composition_source
    )
    more = [f"{len(strange) - _NAMED} more inputs lie outside what training saw"] if len(strange) > _NAMED else []
    return with_state(forecast, served.combined), strange[:_NAMED] + more


def _part(given: _Given, served: _Served, windows: Windows, newest: np.datetime64) -> xr.Dataset:
    init, inputs = to_datetime64(given.init_time), given.inputs
    ids = [str(place) for place in windows.place]
    prediction = served.combined.predict(windows)
    assert prediction.experts is not None
    forecast = make_forecast(
        prediction,
        served.model_id,
        windows,
        ids,
        init,
        weather_source=inputs.weather_source,
        observations_until=newest,
        simulated=inputs.simulated,
        degraded=False,
        measured_humidity=_measured_humidity(given, ids),
    )
    return with_experts(forecast, windows, prediction.experts)


def _measured_humidity(given: _Given, cities: Sequence[str]) -> np.ndarray | None:
    """Return the humidity that cities' stations measured in the 72 h up to the init time, (city, hour), %."""
    history = given.history.sel(city=list(cities))
    if "relative_humidity" not in history:
        return None
    init = to_datetime64(given.init_time)
    hours = init - np.arange(HISTORY_HOURS - 1, -1, -1) * np.timedelta64(1, "h")
    return np.asarray(history["relative_humidity"].transpose("city", "time").reindex(time=hours).values)


@dataclass(frozen=True)
class _Warned:
    """A run's messages, those that wait for approval, the rule sets and cities that ask for it, and what was assessed."""

    messages: list[HazeWarning]
    proposals: list[HazeWarning]
    drafted: set[tuple[str, str]]
    haze: list[Assessment]
    excluded: list[str]


def _warn(cycle: _Cycle, given: _Given, forecast: xr.Dataset) -> _Warned:
    """Apply to every city the rule sets of its jurisdiction, and those that the settings name."""
    settings, inputs, now = cycle.settings.warnings, given.inputs, given.init_time
    earlier = cycle.store.warnings_before(now, inputs.simulated)
    observations = with_humidity(inputs.monitors.observations, inputs.past)
    result = _Warned([], [], set(), [], [])
    applied = cycle.book.of_cities(given.cities, now, settings.rule_sets)
    for name in sorted(set(settings.rule_sets) - {rules.id for rules, _ in applied}):
        log.warning("HAZECAST_RULE_SETS names %s, which at %s applies to none of the cities", name, now.isoformat())
    for rules, ids in applied:
        assessments = assess(
            forecast, observations, cycle.registry, rules, stations=inputs.monitors.stations, cities=ids
        )
        messages = advance(earlier, assessments, now, ruleset=rules)
        result.excluded.extend(excluded_lines(assessments, cycle.registry, cycle.book))
        missing = sum(a.missing_hours for a in assessments)
        if missing:
            log.warning("%s: %d city hours of the window have no value and count as no warning", rules.id, missing)
        if rules.id in settings.approval:
            result.proposals.extend(messages)
            result.drafted.update((rules.id, city) for city in ids)
        else:
            result.messages.extend(_issued(cycle, messages))
        if rules.id == cycle.book.haze_signal.id:
            result.haze.extend(assessments)
    return result


def _issued(cycle: _Cycle, messages: list[HazeWarning]) -> list[HazeWarning]:
    """Return messages as issued now; what an earlier cycle of the same init time published stays issued when it was."""
    if not messages:
        return []
    at = cycle.store.clock().replace(microsecond=0)
    published = cycle.store.warnings_of_run(messages[0].run_init_time, messages[0].simulated)
    return [as_issued(m, at, published.get(m.id)) for m in messages]


def _write_files(cycle: _Cycle, given: _Given, forecast: xr.Dataset, messages: list[HazeWarning]) -> tuple[Path, Path]:
    """Write the forecast as NetCDF and its haze map; return their paths."""
    now, simulated = given.init_time, given.inputs.simulated
    netcdf_path, map_path = _paths(cycle.settings, now, cycle.id, simulated)
    cycle.store.note_files(cycle.id, now, simulated, (netcdf_path, map_path))
    write_netcdf(forecast, netcdf_path)
    restore_values(netcdf_path)
    link_product(netcdf_path, NETCDF)
    in_force = standing_at([*cycle.store.warnings_before(now, simulated), *messages], now)
    rules = cycle.book.haze_signal
    approved = needs_approval(cycle.settings, rules)
    areas = areas_shown(
        forecast, cycle.registry, rules, in_force, weather_dir=cycle.settings.weather_dir, approved=approved
    )
    # Readers ask for it first: where no scheduler makes the other products, it is there all the same.
    save_product(netcdf_path, areas_name(cycle.settings, in_force), areas_json(areas, rules, now))
    with atomic_write(map_path) as part:
        part.write_bytes(draw_haze(forecast, cycle.registry, rules, in_force, Look(), areas))
    link_product(netcdf_path, MAP, map_path)
    return netcdf_path, map_path


def _verify(cycle: _Cycle, given: _Given) -> tuple[str, ...]:
    """Score the forecasts that can be verified now; return how the model does. A fault here costs no forecast."""
    if given.inputs.simulated:
        return ()
    try:
        return verify(cycle.settings, cycle.store, given.init_time).standing.sentences
    except Exception as error:
        log.exception("verification failed")
        return (f"failed: {type(error).__name__}: {error}",)


def _report(
    cycle: _Cycle,
    given: _Given,
    forecast: xr.Dataset,
    warned: _Warned,
    reasons: list[str],
    verification: tuple[str, ...],
    files: tuple[Path, Path],
) -> CycleReport:
    inputs, rules = given.inputs, cycle.book.haze_signal
    return CycleReport(
        init_time=given.init_time,
        status="degraded" if reasons else "done",
        simulated=inputs.simulated,
        model_id=str(forecast.attrs["model_id"]),
        weather_source=inputs.weather_source,
        composition_source=inputs.composition_source,
        humidity_source=str(forecast.attrs["humidity_source"]),
        observations_source=inputs.monitors.source,
        window=signal_window(given.init_time, rules),
        lines=city_lines(forecast, given.history, cycle.registry, rules, warned.haze),
        skipped=given.skipped,
        warnings=tuple(message_line(message, cycle.registry, cycle.book) for message in warned.messages),
        drafts=tuple(message_line(message, cycle.registry, cycle.book) for message in warned.proposals),
        excluded=tuple(warned.excluded),
        counts=inputs.monitors.counts,
        reasons=tuple(reasons),
        verification=verification,
        netcdf_path=files[0],
        map_path=files[1],
        database=redacted(cycle.settings.database_url),
    )


def _paths(settings: Settings, now: datetime, cycle_id: int, simulated: bool) -> tuple[Path, Path]:
    # A name of its own for each cycle: what an earlier run stored stays intact until this one's transaction has
    # replaced it.
    name = f"{'simulated-' if simulated else ''}{now:%Y%m%dT%H%MZ}-cycle{cycle_id}"
    return settings.data_dir / "forecasts" / f"{name}.nc", settings.data_dir / "maps" / f"{name}.png"


def _with_weather(forecast: xr.Dataset, future: xr.Dataset | None) -> xr.Dataset:
    """Add the wind, mixing layer and moisture that the forecast is based on: warnings name them."""
    names = [name for name in CAUSE_WEATHER if future is not None and name in future]
    if future is None or not names:
        return forecast
    air = future[names].sel(city=forecast["city"].values).reindex(time=valid_times(forecast))
    return forecast.assign({name: (("lead_time", "city"), air[name].values, air[name].attrs) for name in names})
