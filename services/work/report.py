"""The report of a cycle, for a person at a terminal."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

BEIJING = ZoneInfo("Asia/Shanghai")


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
    humidity_source: str
    observations_source: str
    window: tuple[datetime, datetime]
    lines: tuple[CityLine, ...]
    skipped: dict[str, str]
    warnings: tuple[str, ...]
    drafts: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    verification: tuple[str, ...] = ()
    netcdf_path: Path | None = None
    map_path: Path | None = None
    database: str = ""


def print_report(report: CycleReport, console: Console) -> None:
    """Print the report as a table with what the run rests on."""
    if report.simulated:
        console.print("[bold red]SIMULATED DATA[/]: this forecast rests on a simulated sample, not on measurements.")
    console.print(f"Hazecast forecast from {report.init_time:%Y-%m-%d %H:%M} UTC  (status: {report.status})")
    console.print(f"observations: {report.observations_source}")
    console.print(
        f"weather: {report.weather_source}; humidity: {report.humidity_source}; model: {report.model_id}",
        soft_wrap=True,
    )
    start, end = (t.astimezone(BEIJING) for t in report.window)
    console.print(f"warning window: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} Beijing time")
    table = Table()
    for heading in ("city", "PM2.5 now", "next 24 h mean", "next 24 h max", "O3 24 h max", "haze", "warning"):
        table.add_column(heading, justify="left" if heading in ("city", "haze", "warning") else "right")
    for line in report.lines:
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
    console.print(table)
    console.print("Concentrations in ug/m3; forecasts are medians.", style="dim")
    if report.warnings:
        console.print(f"Warnings ({len(report.warnings)} messages):")
        for text in report.warnings:
            console.print(f"  {text}", soft_wrap=True)
    else:
        console.print("No warning issued.")
    if report.drafts:
        console.print(f"Drafts that wait for approval ({len(report.drafts)}; hazecast warnings drafts):")
        for text in report.drafts:
            console.print(f"  {text}", soft_wrap=True)
    if report.skipped:
        console.print(f"No forecast for {len(report.skipped)} cities without observations in the last 72 h.")
    faults = {name: n for name, n in report.counts.items() if n}
    if faults:
        console.print("Faults found in the observations: " + ", ".join(f"{k} {v}" for k, v in faults.items()))
    for reason in report.reasons:
        console.print(f"[yellow]degraded:[/] {reason}")
    for sentence in report.verification:
        console.print(f"verification: {sentence}", soft_wrap=True)
    for label, value in (("forecast", report.netcdf_path), ("map", report.map_path), ("store", report.database)):
        console.print(f"{label}: {value}", soft_wrap=True)


def as_dict(report: CycleReport) -> dict[str, object]:
    """Return the report as JSON values; times with offset, paths as text."""
    result: dict[str, object] = {}
    for name, value in asdict(report).items():
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Path):
            value = str(value)
        elif name == "window":
            value = [time.isoformat() for time in value]
        result[name] = value
    return result
