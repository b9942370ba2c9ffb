"""``hazecast scheduler`` and ``hazecast jobs``: run the schedule, look at it, and run a job by hand."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.cli.options import DataDir, current_time, settings_of

if TYPE_CHECKING:
    from hazecast.services.scheduling.board import JobState, RunState

EXIT_FAILED, EXIT_DEGRADED = 1, 3

jobs_app = typer.Typer(help="Scheduled jobs: what is due, what became of it, and a run by hand.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def scheduler(data_dir: DataDir = None) -> None:
    """Run the scheduled jobs until stopped, or stand by while another process does."""
    from hazecast.services.web.server import schedule

    if schedule(settings_of(data_dir)):
        raise typer.Exit(EXIT_DEGRADED)


@jobs_app.command("list")
def list_jobs(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """All jobs: when they are due, and how they last ended."""
    states = _board(data_dir)[0]
    if as_json:
        print(json.dumps([state.model_dump(mode="json") for state in states], ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("job", "due", "next", "last run", "ended", "took", "error")
    for state in states:
        last = state.last_run
        took = "" if last is None or last.duration_seconds is None else f"{last.duration_seconds:.0f} s"
        table.add_row(
            state.name,
            state.schedule,
            _time(state.next_run),
            _time(last.due if last else None),
            last.status if last else "",
            took,
            (last.error or "") if last else "",
        )
    Console(width=None if _terminal() else 160, highlight=False).print(table)


@jobs_app.command()
def history(
    name: Annotated[str, typer.Argument(help="Job.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many runs.")] = 20,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """The newest runs of a job, newest first."""
    from hazecast.services.scheduling.board import job_runs
    from hazecast.services.scheduling.jobs import job_named
    from hazecast.services.store.store import Store

    settings = settings_of(data_dir)
    job_named(name, settings)
    store = Store(settings.database_url)
    store.migrate()
    runs = job_runs(store, name, limit)
    store.close()
    if as_json:
        print(json.dumps([run.model_dump(mode="json") for run in runs], ensure_ascii=False, indent=2))
        return
    for run in runs:
        print(run_text(run))


@jobs_app.command()
def run(name: Annotated[str, typer.Argument(help="Job.")], data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Run a job now, within its time limit, and wait for its end."""
    from hazecast.services.core.logs import configure_logging
    from hazecast.services.scheduling.board import run_state
    from hazecast.services.scheduling.executor import run_now
    from hazecast.services.store.store import Store

    settings = settings_of(data_dir)
    configure_logging(settings)
    store = Store(settings.database_url)
    store.migrate()
    store.close()
    made = run_state(run_now(name, settings))
    print(json.dumps(made.model_dump(mode="json"), ensure_ascii=False, indent=2) if as_json else run_text(made))
    if made.status != "done":
        raise typer.Exit(EXIT_DEGRADED if made.status == "degraded" else EXIT_FAILED)


@jobs_app.command()
def check(
    seconds: Annotated[float, typer.Option("--seconds", help="Greatest age of its sign of life.")] = 60.0,
    data_dir: DataDir = None,
) -> None:
    """Say whether a scheduler leads; exit code 1 if none has given a sign of life lately."""
    beat = _board(data_dir)[1]
    age = None if beat is None else (current_time() - beat.beat_at).total_seconds()
    if beat is None or age is None or age > seconds:
        print("no scheduler leads" + ("" if age is None else f"; the last sign of life is {age:.0f} s old"))
        raise typer.Exit(EXIT_FAILED)
    print(f"{beat.runner} leads since {_time(beat.leading_since)}; its last sign of life is {age:.0f} s old")


def _board(data_dir: Any) -> tuple[list[JobState], Any]:
    from hazecast.services.scheduling.board import job_states
    from hazecast.services.scheduling.history import JobHistory
    from hazecast.services.store.store import Store

    settings = settings_of(data_dir)
    store = Store(settings.database_url)
    store.migrate()
    try:
        return job_states(store, settings), JobHistory(store.engine.begin).last_beat()
    finally:
        store.close()


def run_text(run: RunState) -> str:
    """Return a run as a line for a terminal."""
    parts = [_time(run.due), run.status]
    if run.attempt > 1:
        parts.append(f"attempt {run.attempt}")
    if run.manual:
        parts.append("by hand")
    if run.lateness_seconds is not None:
        parts.append(f"{run.lateness_seconds:.0f} s late")
    if run.duration_seconds is not None:
        parts.append(f"took {run.duration_seconds:.0f} s")
    if run.skipped:
        parts.append(f"stands for {run.skipped} more")
    return ", ".join(parts) + "".join(f"; {text}" for text in (run.detail, run.error) if text)


def _time(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}Z"


def _terminal() -> bool:
    import sys

    return sys.stdout.isatty()
