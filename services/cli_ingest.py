"""``hazecast ingest``: bring weather and observations in."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from services.ingest import IngestReport

EXIT_FAILED, EXIT_DEGRADED = 1, 3


def ingest(
    live: Annotated[bool, typer.Option("--live", help="The newest weather and the newest observations.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Store and files; default HAZECAST_DATA_DIR or ./data.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Bring in weather and observations from the sources that the settings name."""
    from grids.errors import InputError
    from services.ingest import IngestBusyError, ingest_live
    from services.settings import Settings

    if not live:
        raise InputError("hazecast ingest", "nothing to ingest", "--live")
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    try:
        report = ingest_live(settings)
    except IngestBusyError as busy:
        typer.echo(f"hazecast: {busy}", err=True)
        raise typer.Exit(EXIT_FAILED) from busy
    typer.echo(json.dumps(as_dict(report), ensure_ascii=False, indent=2) if as_json else as_text(report))
    if report.status != "done":
        raise typer.Exit(EXIT_FAILED if report.status == "failed" else EXIT_DEGRADED)


def as_dict(report: IngestReport) -> dict[str, Any]:
    """Return a report as JSON values."""
    return {
        "at": report.at.isoformat(),
        "status": report.status,
        "weather": {
            "path": None if report.weather.path is None else str(report.weather.path),
            "attempts": [
                {
                    "source": attempt.source,
                    "outcome": attempt.outcome,
                    "init_time": None if attempt.cycle is None else attempt.cycle.init_time.isoformat(),
                    "late": attempt.cycle is not None and attempt.cycle.late,
                    "requests": attempt.traffic.requests,
                    "retries": attempt.traffic.retries,
                    "bytes": attempt.traffic.bytes_read,
                }
                for attempt in report.weather.attempts
            ],
        },
        "observations": [
            asdict(outcome) | {"newest": outcome.newest and outcome.newest.isoformat()}
            for outcome in report.observations.outcomes
        ],
        "reasons": list(report.reasons),
    }


def as_text(report: IngestReport) -> str:
    """Return a report for a person at a terminal."""
    lines = [f"Ingest at {report.at:%Y-%m-%d %H:%M} UTC (status: {report.status})"]
    for attempt in report.weather.attempts:
        cycle = "no cycle" if attempt.cycle is None else f"cycle of {attempt.cycle.init_time:%Y-%m-%d %H} UTC"
        traffic = attempt.traffic
        lines.append(
            f"weather {attempt.source}: {attempt.outcome}, {cycle}; {traffic.requests} requests, "
            f"{traffic.retries} retries, {traffic.bytes_read / 1e6:.1f} MB"
        )
    if report.weather.path is not None:
        lines.append(f"stored: {report.weather.path}")
    lines.extend(f"observations {outcome.summary}" for outcome in report.observations.outcomes)
    lines.extend(f"degraded: {reason}" for reason in report.reasons)
    return "\n".join(lines)
