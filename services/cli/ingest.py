"""``hazecast ingest``: fetch and store weather and observations."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hazecast.services.cli import exits
from hazecast.services.cli.options import AsJson, DataDir, settings_of
from hazecast.services.cli.output import print_json, stamp

if TYPE_CHECKING:
    from hazecast.services.core.settings import Settings
    from hazecast.services.work.ingest.archive import BuildReport
    from hazecast.services.work.ingest.backfill import BackfillReport
    from hazecast.services.work.ingest.ingest import IngestReport
    from hazecast.services.work.ingest.weather import WeatherReport

app = typer.Typer()
group = typer.Typer()
app.add_typer(group, name="ingest")


@group.callback(invoke_without_command=True)
def ingest(
    context: typer.Context,
    live: Annotated[
        bool, typer.Option("--live", help="Fetch the newest weather, composition and observations.")
    ] = False,
    first: Annotated[
        datetime | None, typer.Option("--from", help="First hour (UTC) of a weather archive to build.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", help="Its last hour (UTC).")] = None,
    weather_files: Annotated[
        Path | None, typer.Option("--weather-files", help="Folder of weather files; by default ERA5 is fetched.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a Dask scheduler; by default threads.")
    ] = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report of --live as JSON.")] = False,
) -> None:
    """Fetch and store weather, composition and observations: the newest of all sources, or weather of years."""
    from hazecast.grids.errors import InputError

    if context.invoked_subcommand is not None:
        given = [name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")]
        if given:
            raise InputError("hazecast ingest", f"{', '.join(given)} before the command", "options after it")
        return
    settings = settings_of(data_dir)
    if live == (first is not None or last is not None):
        raise InputError("hazecast ingest", "both or neither", "--live, or --from and --to")
    if live:
        _live(settings, as_json)
    elif first is None or last is None:
        raise InputError("hazecast ingest", "only one of --from and --to", "both")
    else:
        _archive(settings, first.replace(tzinfo=UTC), last.replace(tzinfo=UTC), weather_files, scheduler)


@group.command()
def backfill(
    first: Annotated[datetime, typer.Option("--from", help="First hour (UTC).")],
    last: Annotated[datetime | None, typer.Option("--to", help="Last hour (UTC); by default now.")] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Name of a source; by default all in the settings.")
    ] = None,
    kind: Annotated[
        Literal["observations", "weather"] | None, typer.Option("--kind", help="Only this; by default both.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask also for hours that are there, for revised values.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Fetch what is missing of a period: observations, and weather as it was issued."""
    from tqdm import tqdm

    from hazecast.services.core.clock import utc_now
    from hazecast.services.work.ingest.backfill import BackfillBusyError
    from hazecast.services.work.ingest.backfill import backfill as fill

    until = utc_now() if last is None else last.replace(tzinfo=UTC)
    settings = settings_of(data_dir)
    with tqdm(unit="hour or cycle", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            report = fill(settings, first.replace(tzinfo=UTC), until, source, kind, again=again, progress=progress)
        except BackfillBusyError as busy:
            typer.echo(f"hazecast: {busy}", err=True)
            raise typer.Exit(exits.FAILED) from busy
    print_json(backfill_dict(report)) if as_json else print(backfill_text(report))
    if report.status != "done":
        raise typer.Exit(exits.FAILED if report.status == "failed" else exits.DEGRADED)


def backfill_dict(report: BackfillReport) -> dict[str, Any]:
    """Return the report of a backfill as JSON values."""
    sources = []
    for one in report.filled:
        values = {"new": one.new, "revised": one.revised, "unchanged": one.unchanged}
        sources.append({
            "source": one.source, "kind": one.kind, "status": one.status, "missing": one.missing, "filled": one.filled,
            **values, "counts": dict(one.counts), "problems": one.problems, "notes": one.notes,
        })  # fmt: skip
    return {"status": report.status, "left": report.left, "sources": sources}


def backfill_text(report: BackfillReport) -> str:
    """Return the report of a backfill as text, without a line end at the end."""
    lines = []
    for one in report.filled:
        lines += [one.summary, *(f"  {note}" for note in one.notes), *(f"  degraded: {text}" for text in one.problems)]
    return "\n".join(lines)


def _live(settings: Settings, as_json: bool) -> None:
    from hazecast.services.work.ingest.ingest import IngestBusyError, ingest_composition, ingest_live

    try:
        report = ingest_live(settings)
        composition = ingest_composition(settings) if settings.ingest.composition_sources else None
    except IngestBusyError as busy:
        typer.echo(f"hazecast: {busy}", err=True)
        raise typer.Exit(exits.FAILED) from busy
    if as_json:
        print_json(as_dict(report, composition))
    else:
        print(as_text(report, composition))
    if report.status != "done":
        raise typer.Exit(exits.FAILED if report.status == "failed" else exits.DEGRADED)


def _archive(settings: Settings, first: datetime, last: datetime, files: Path | None, scheduler: str | None) -> None:
    from tqdm import tqdm

    from hazecast.services.sources.errors import FetchError
    from hazecast.services.work.ingest.ingest import ingest_archive

    with tqdm(unit="part", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            report = ingest_archive(settings, first, last, files, scheduler_address=scheduler, progress=progress)
        except FetchError as error:
            typer.echo(f"hazecast: {error}", err=True)
            raise typer.Exit(exits.FAILED) from error
    print(archive_text(report, settings.archive_dir))
    if report.failed or report.missing_hours:
        raise typer.Exit(exits.DEGRADED)


def archive_text(report: BuildReport, folder: Path) -> str:
    """Return the report of an archive's build as text.

    Parameters
    ----------
    report : BuildReport
        What was stored, known already, missing or failed.
    folder : Path
        The archive's folder.

    Returns
    -------
    str
        Lines without a line end at the end.
    """
    lines = [
        f"archive {folder}: hours {report.hours.new} new, {report.hours.known} known; "
        f"runs {report.runs.new} new, {report.runs.known} known"
    ]
    if report.missing_hours:
        lines.append(f"degraded: {report.missing_hours} hours of the period are missing")
    lines.extend(f"degraded: {name}: {reason}" for name, reason in report.failed.items())
    return "\n".join(lines)


def as_dict(report: IngestReport, composition: WeatherReport | None) -> dict[str, Any]:
    """Return a report as JSON values.

    Parameters
    ----------
    report : IngestReport
    composition : WeatherReport or None
        Of a chemistry model, None where no source is set. Its faults don't change the status.

    Returns
    -------
    dict
    """
    return {
        "at": report.at,
        "status": report.status,
        "weather": _cycle(report.weather),
        "composition": None if composition is None else _cycle(composition) | {"reasons": list(composition.reasons)},
        "observations": [asdict(outcome) for outcome in report.observations.outcomes],
        "reasons": list(report.reasons),
    }


def _cycle(report: WeatherReport) -> dict[str, Any]:
    return {
        "path": None if report.path is None else str(report.path),
        "attempts": [
            {
                "source": attempt.source,
                "outcome": attempt.outcome,
                "init_time": None if attempt.cycle is None else attempt.cycle.init_time,
                "late": attempt.cycle is not None and attempt.cycle.late,
                "requests": attempt.traffic.requests,
                "retries": attempt.traffic.retries,
                "bytes": attempt.traffic.bytes_read,
            }
            for attempt in report.attempts
        ],
    }


def as_text(report: IngestReport, composition: WeatherReport | None) -> str:
    """Return a report as text.

    Parameters
    ----------
    report : IngestReport
    composition : WeatherReport or None
        Of a chemistry model, None where no source is set.

    Returns
    -------
    str
    """
    lines = [f"Ingest at {stamp(report.at)} (status: {report.status})"]
    lines.extend(_cycle_lines("weather", report.weather))
    lines.extend(f"observations {outcome.summary}" for outcome in report.observations.outcomes)
    if composition is not None:
        lines.extend([*_cycle_lines("composition", composition), *composition.reasons])
    lines.extend(f"degraded: {reason}" for reason in report.reasons)
    return "\n".join(lines)


def _cycle_lines(kind: str, report: WeatherReport) -> list[str]:
    lines = []
    for attempt in report.attempts:
        cycle = "no cycle" if attempt.cycle is None else f"cycle of {stamp(attempt.cycle.init_time)}"
        traffic = attempt.traffic
        lines.append(
            f"{kind} {attempt.source}: {attempt.outcome}, {cycle}; {traffic.requests} requests, "
            f"{traffic.retries} retries, {traffic.bytes_read / 1e6:.1f} MB"
        )
    if report.path is not None:
        lines.append(f"stored: {report.path}")
    return lines
