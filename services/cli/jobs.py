"""``hazecast jobs``: the scheduled jobs, their runs, and a manual run."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.cli import exits
from hazecast.services.cli.options import AsJson, DataDir, current_time, open_store, settings_of
from hazecast.services.cli.output import print_json, stamp

if TYPE_CHECKING:
    from hazecast.services.scheduling.states import JobState, RunState

app = typer.Typer(help="Scheduled jobs: due times, results of runs, and a manual run.", no_args_is_help=True)


@app.command("list")
def list_jobs(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all jobs: when they are due, and how they last ended."""
    states = _board(data_dir)[0]
    if as_json:
        print_json([state.model_dump(mode="json") for state in states])
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
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


@app.command()
def history(
    name: Annotated[str, typer.Argument(help="Job.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many runs.")] = 20,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print the newest runs of a job, newest first."""
    from hazecast.services.scheduling.board import job_runs
    from hazecast.services.scheduling.jobs import job_named

    settings = settings_of(data_dir)
    job_named(name, settings)
    with open_store(settings) as store:
        runs = job_runs(store, name, limit)
    if as_json:
        print_json([run.model_dump(mode="json") for run in runs])
        return
    for run in runs:
        print(run_text(run))


@app.command()
def run(name: Annotated[str, typer.Argument(help="Job.")], data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Run a job now, within its time limit, and wait for its end."""
    from hazecast.services.core.logs import configure_logging
    from hazecast.services.scheduling.board import run_state
    from hazecast.services.scheduling.executor import run_now

    settings = settings_of(data_dir)
    configure_logging(settings)
    with open_store(settings):
        pass  # brings the schema up to date
    made = run_state(run_now(name, settings))
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        print(run_text(made))
    if made.status != "done":
        raise typer.Exit(exits.DEGRADED if made.status == "degraded" else exits.FAILED)


@app.command()
def check(
    seconds: Annotated[float, typer.Option("--seconds", help="Maximum age of its last sign of life.")] = 60.0,
    data_dir: DataDir = None,
) -> None:
    """Check whether a scheduler is active; exit code 1 if none has given a sign of life lately, or one of the future."""
    from datetime import timedelta

    from hazecast.services.scheduling.history import beat_fault

    beat, now = _board(data_dir)[1], current_time()
    fault = beat_fault(beat, now, timedelta(seconds=seconds))
    if fault is not None:
        print(f"no scheduler leads: {fault}")
        raise typer.Exit(exits.FAILED)
    age = max((now - beat.beat_at).total_seconds(), 0.0)
    print(f"{beat.runner} leads since {_time(beat.leading_since)}; its last sign of life is {age:.0f} s old")


def _board(data_dir: Path | None) -> tuple[list[JobState], Any]:
    from hazecast.services.scheduling.board import job_states
    from hazecast.services.scheduling.history import JobHistory

    settings = settings_of(data_dir)
    with open_store(settings) as store:
        return job_states(store, settings), JobHistory(store.engine.connect).last_beat()


def run_text(run: RunState) -> str:
    """Return a run as one line of text."""
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
    return "" if time is None else stamp(time)
