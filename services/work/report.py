"""The report of a cycle, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from hazecast.alerts.engine.assessment import Assessment
from hazecast.alerts.engine.day_evidence import condition_shown, days_of, of_days
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import BEIJING
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.products import next_24h
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import format_time
from hazecast.services.work.local_time import place_name, stamp, zone_name

# Cities and messages that are written out on a terminal; the others are counted.
_MOST_LINES = 100


@dataclass(frozen=True)
class CityLine:
    """One city of the report, concentrations in ug m-3."""

    city: str
    name: str
    pm25_now: float | None
    pm25_mean_24h: float
    pm25_max_24h: float
    o3_max_24h: float
    haze: str
    level: str


@dataclass(frozen=True)
class CycleReport:
    """What a cycle did, for the terminal and the store."""

    init_time: datetime
    status: str
    simulated: bool
    model_id: str
    weather_source: str
    composition_source: str
    humidity_source: str
    observations_source: str
    window: tuple[datetime, datetime]
    lines: tuple[CityLine, ...]
    skipped: dict[str, str]
    warnings: tuple[str, ...]
    drafts: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    verification: tuple[str, ...] = ()
    netcdf_path: Path | None = None
    map_path: Path | None = None
    database: str = ""


def city_lines(
    forecast: xr.Dataset,
    observations: xr.Dataset,
    registry: Registry,
    ruleset: RuleSet,
    assessments: list[Assessment],
) -> tuple[CityLine, ...]:
    """Return a line for each city of a forecast, the highest PM2.5 of the next 24 h first.

    Parameters
    ----------
    forecast : xarray.Dataset (lead_time, city, quantile)
        Contract "forecast".
    observations : xarray.Dataset (time, city)
        Contract "observations"; its last hour is the init time.
    registry : Registry
    ruleset : RuleSet
        Of the haze signals, whose level is named.
    assessments : list of Assessment
        By that rule set.

    Returns
    -------
    tuple of CityLine
    """
    ids = [str(city) for city in forecast["city"].values]
    coming = {name: values.values.tolist() for name, values in next_24h(forecast).items()}
    observed = observations["pm25"].transpose("time", "city").isel(time=-1).reindex(city=ids).values.tolist()
    by_city = {a.city: a for a in assessments}
    lines = []
    for number, (city_id, now) in enumerate(zip(ids, observed, strict=True)):
        assessment = by_city.get(city_id)
        level = assessment.level if assessment else None
        lines.append(
            CityLine(
                city=city_id,
                name=place_name(registry.city(city_id)),
                pm25_now=now if np.isfinite(now) else None,
                pm25_mean_24h=coming["pm25_mean"][number],
                pm25_max_24h=coming["pm25_max"][number],
                o3_max_24h=coming["o3_max"][number],
                haze=ruleset.level_of(level).haze_en if level else "-",
                level=level or "",
            )
        )
    return tuple(sorted(lines, key=lambda line: -line.pm25_max_24h))


def message_line(message: HazeWarning, registry: Registry, book: RuleBook) -> str:
    """Return a message of a cycle on one line.

    Parameters
    ----------
    message : HazeWarning
    registry : Registry
    book : RuleBook
        Holds the rule set of the message.

    Returns
    -------
    str
        Kind, level, city, onset and expiry in the city's own time, the highest PM2.5, the probability and the reason.
    """
    level = book.rule_set(message.rule_set).level_of(message.level)
    city = registry.city(message.city)
    onset, expires = (stamp(t, city.time_zone) for t in (message.onset, message.expires))
    zone = zone_name(city.time_zone, message.onset)
    peak = max((e.pm25 for e in message.evidence if e.pm25 is not None), default=None)
    reason = "" if peak is None else f", PM2.5 up to {peak:.0f} ug/m3 in {len(message.evidence)} h"
    if of_days(message.evidence):
        condition = condition_shown(message.evidence, book.rule_set(message.rule_set))
        days = [e.values["aqi_24h"] for e in days_of(message.evidence, condition)]
        reason = f", AQI of 24 h {', '.join(f'{value:.0f}' for value in days)}"
    chance = "" if message.probability is None else f", probability {message.probability:.2f}"
    window = f"{onset} to {expires} ({zone})"
    return f"{message.kind}: {level.name_en}, {place_name(city)}, {window}{reason}{chance} ({message.reason})"


def excluded_lines(assessments: Iterable[Assessment], registry: Registry, book: RuleBook) -> list[str]:
    """Return the days that a rule set does not count although they are as bad as a level, and why, a line each.

    Parameters
    ----------
    assessments : iterable of Assessment
    registry : Registry
    book : RuleBook
        Holds their rule sets.

    Returns
    -------
    list of str
    """
    lines = []
    for assessment in assessments:
        city = registry.city(assessment.city)
        for day in assessment.excluded:
            date = (day.day_end - timedelta(hours=1)).astimezone(ZoneInfo(city.time_zone))
            lines.append(
                f"{book.rule_set(assessment.rule_set).name_en}, {city.name_en}, {date:%Y-%m-%d}: AQI of ozone about "
                f"{day.index:.0f} (probability {day.probability:.2f}), not of particles: advice on health, no alert"
            )
    return lines


def print_report(report: CycleReport, console: Console) -> None:
    """Print a report: a table of the cities, the messages, and what the run is based on.

    Parameters
    ----------
    report : CycleReport
    console : rich.console.Console
    """
    if report.simulated:
        console.print("[bold red]SIMULATED DATA[/]: this forecast rests on a simulated sample, not on measurements.")
    beijing = zone_name(BEIJING, report.init_time)
    console.print(f"Hazecast forecast from {stamp(report.init_time, BEIJING)} {beijing}  (status: {report.status})")
    console.print(f"observations: {report.observations_source}")
    console.print(
        f"weather: {report.weather_source}; humidity: {report.humidity_source}; model: {report.model_id}",
        soft_wrap=True,
    )
    console.print(f"chemistry model: {report.composition_source}", soft_wrap=True)
    start, end = (stamp(t, BEIJING) for t in report.window)
    console.print(f"warning window: {start} to {end} {beijing}")
    console.print(_table(report.lines[:_MOST_LINES]))
    if len(report.lines) > _MOST_LINES:
        console.print(f"{len(report.lines) - _MOST_LINES} more cities have lower PM2.5; --json names all.")
    console.print("Concentrations in ug/m3; forecasts are medians.", style="dim")
    _print_messages(report, console)
    _print_faults(report, console)
    for label, value in (("forecast", report.netcdf_path), ("map", report.map_path), ("store", report.database)):
        console.print(f"{label}: {value}", soft_wrap=True)


def _table(lines: tuple[CityLine, ...]) -> Table:
    table = Table()
    for heading in ("city", "PM2.5 now", "next 24 h mean", "next 24 h max", "O3 24 h max", "haze", "warning"):
        table.add_column(heading, justify="left" if heading in ("city", "haze", "warning") else "right")
    for line in lines:
        now = "-" if line.pm25_now is None else f"{line.pm25_now:.0f}"
        style = {"yellow": "yellow", "orange": "dark_orange", "red": "bold red"}.get(line.level, "")
        table.add_row(
            line.name,
            now,
            f"{line.pm25_mean_24h:.0f}",
            f"{line.pm25_max_24h:.0f}",
            f"{line.o3_max_24h:.0f}",
            line.haze,
            line.level or "-",
            style=style,
        )
    return table


def _print_messages(report: CycleReport, console: Console) -> None:
    if report.warnings:
        console.print(f"Warnings ({len(report.warnings)} messages):")
        _print_first(report.warnings, console)
    else:
        console.print("No warning issued.")
    if report.excluded:
        console.print(f"Days that count for no alert ({len(report.excluded)}):")
        _print_first(report.excluded, console)
    if report.drafts:
        console.print(f"Drafts that wait for approval ({len(report.drafts)}; hazecast warnings drafts):")
        _print_first(report.drafts, console)


def _print_first(texts: tuple[str, ...], console: Console) -> None:
    for text in texts[:_MOST_LINES]:
        console.print(f"  {text}", soft_wrap=True)
    if len(texts) > _MOST_LINES:
        console.print(f"  and {len(texts) - _MOST_LINES} more")


def _print_faults(report: CycleReport, console: Console) -> None:
    if report.skipped:
        console.print(f"No forecast for {len(report.skipped)} cities without observations in the last 72 h.")
    faults = {name: n for name, n in report.counts.items() if n}
    if faults:
        console.print("Faults found in the observations: " + ", ".join(f"{k} {v}" for k, v in faults.items()))
    for reason in report.reasons:
        console.print(f"[yellow]degraded:[/] {reason}")
    for sentence in report.verification:
        console.print(f"verification: {sentence}", soft_wrap=True)


def as_dict(report: CycleReport) -> dict[str, object]:
    """Return the report as JSON values; times in UTC, paths as text."""
    result: dict[str, object] = {}
    for name, value in asdict(report).items():
        if isinstance(value, datetime):
            value = format_time(value)
        elif isinstance(value, Path):
            value = str(value)
        elif name == "window":
            value = [format_time(time) for time in value]
        result[name] = value
    return result
