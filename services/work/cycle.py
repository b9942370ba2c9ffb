"""One forecast cycle: read, forecast, warn, draw, and store it all in one transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import xarray as xr

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.engine import assess
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning, as_issued, standing_at
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.models.background import LEVEL_HOURS
from hazecast.models.registry import ModelRegistry, load_serving
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
from hazecast.services.work.adaptation import adapt
from hazecast.services.work.cycle_forecast import Given, Served, forecast_from, weather_used
from hazecast.services.work.haze_maps import areas_json, areas_shown, draw_haze
from hazecast.services.work.inputs import LIVE_OBSERVATIONS, forecast_cities, load_inputs, with_humidity
from hazecast.services.work.public_haze import areas_name, needs_approval
from hazecast.services.work.report import CycleReport, as_dict, city_lines, excluded_lines, message_line
from hazecast.services.work.shortcomings import shortcomings
from hazecast.services.work.stored_forecast import MAP, NETCDF, Look, restore_values, write_netcdf
from hazecast.services.work.verification import verify

log = logging.getLogger(__name__)


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


def _run(cycle: _Cycle, init_time: datetime | None, wanted: tuple[str, ...]) -> CycleReport:
    given = _read_inputs(cycle, init_time, wanted)
    served = _load_model(cycle.settings)
    lacking = shortcomings(
        given.inputs, given.cities, given.init_time, weather_needed=weather_used(served.model), skipped=given.skipped
    )
    _adapt(cycle, given, served)
    forecast, strange = forecast_from(given, served)
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


def _read_inputs(cycle: _Cycle, init_time: datetime | None, wanted: tuple[str, ...]) -> Given:
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
    return Given(inputs, init_time, *forecast_cities(inputs.monitors, registry, init_time, wanted), longer)


def _load_model(settings: Settings) -> Served:
    """Load the model in service, or what stands in for it, with the reason."""
    served = Served(*load_serving(ModelRegistry(settings.models_dir)))
    for fault in served.faults:
        log.error("%s", fault)
    return served


def _adapt(cycle: _Cycle, given: Given, served: Served) -> None:
    """Let the combination learn from the stored forecasts that were verified since; simulated ones teach nothing."""
    if not given.inputs.simulated:
        adapt(served.combined, served.model_id, cycle.store, given.inputs.monitors.observations, given.init_time)


@dataclass(frozen=True)
class _Warned:
    """A run's messages, those that wait for approval, the rule sets and cities that ask for it, and what was assessed."""

    messages: list[HazeWarning]
    proposals: list[HazeWarning]
    drafted: set[tuple[str, str]]
    haze: list[Assessment]
    excluded: list[str]


def _warn(cycle: _Cycle, given: Given, forecast: xr.Dataset) -> _Warned:
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


def _write_files(cycle: _Cycle, given: Given, forecast: xr.Dataset, messages: list[HazeWarning]) -> tuple[Path, Path]:
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


def _verify(cycle: _Cycle, given: Given) -> tuple[str, ...]:
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
    given: Given,
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
