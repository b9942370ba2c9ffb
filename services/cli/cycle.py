"""``hazecast run`` and ``hazecast sample``: one forecast cycle, and simulated input for one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli import exits
from hazecast.services.cli.options import (
    AsJson,
    Cities,
    DataDir,
    InitTime,
    Observations,
    Weather,
    current_time,
    open_store,
    refuse_given,
    settings_of,
    time_of,
)
from hazecast.services.cli.output import print_json

app = typer.Typer()


@app.command()
def run(
    context: typer.Context,
    observations: Observations = None,
    init_time: InitTime = None,
    weather: Weather = None,
    city: Cities = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0.0, help="Seconds to wait for another cycle that is running on this store.")
    ] = 0.0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run one forecast cycle: from observations and weather to forecast, warnings and map."""
    from rich.console import Console

    from hazecast.services.scheduling.tasks import CycleBusy, cycle_lock
    from hazecast.services.work.cycle import run_cycle
    from hazecast.services.work.report import as_dict, print_report

    settings = settings_of(data_dir, observations, weather)
    if settings.inputs.observations_dir is None:
        refuse_given(
            context, {"weather": "--weather"}, "--observations with it: the simulated sample has its own weather"
        )
    at = time_of(init_time, "--init-time")
    with open_store(settings):
        pass  # a store that can't be used is told as that, not as one whose lock is taken
    try:
        with cycle_lock(settings, wait):
            report = run_cycle(settings, init_time=at, cities=tuple(city or ()))
    except CycleBusy as busy:
        print(f"hazecast: {busy}; --wait SECONDS waits for its end", file=sys.stderr)
        raise typer.Exit(exits.FAILED) from busy
    if as_json:
        print_json(as_dict(report))
    else:
        width = None if sys.stdout.isatty() else 110
        print_report(report, Console(width=width, highlight=False))
    if report.status == "degraded":
        raise typer.Exit(exits.DEGRADED)


@app.command()
def sample(folder: Annotated[Path, typer.Argument(help="Where to write it.")], init_time: InitTime = None) -> None:
    """Write the simulated sample: a week of observations and weather, labelled as simulated."""
    from hazecast.services.core.places import city_registry
    from hazecast.services.work.sample import write_sample

    now = current_time().replace(minute=0, second=0, microsecond=0)
    print(write_sample(folder, city_registry(settings_of(None)), time_of(init_time, "--init-time") or now))
