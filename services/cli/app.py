"""The ``hazecast`` command. Heavy imports wait until a command needs them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli.accounts import accounts_app
from hazecast.services.cli.bulletin import bulletin
from hazecast.services.cli.forecast import forecast
from hazecast.services.cli.ingest import ingest
from hazecast.services.cli.jobs import jobs_app, scheduler
from hazecast.services.cli.maps import register as register_maps
from hazecast.services.cli.models import models_app, verify
from hazecast.services.cli.options import DataDir, InitTime, Observations, Server, Weather, current_time
from hazecast.services.cli.options import settings_of as _settings
from hazecast.services.cli.options import time_of as _time
from hazecast.services.cli.store import register as register_store
from hazecast.services.cli.studies.app import study_app
from hazecast.services.cli.subscribers import register as register_subscribers
from hazecast.services.cli.warnings import register as register_warnings

EXIT_FAILED, EXIT_INPUT, EXIT_DEGRADED = 1, 2, 3

app = typer.Typer(
    name="hazecast",
    help="Air-quality forecasts and haze warnings for the partner cities.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(asked: bool) -> None:
    if asked:
        from hazecast import __version__

        print(f"hazecast {__version__}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    server: Server = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Air-quality forecasts and haze warnings for the partner cities."""
    context.obj = server


@app.command()
def run(
    observations: Observations = None,
    init_time: InitTime = None,
    weather: Weather = None,
    city: Annotated[list[str] | None, typer.Option("--city", help="Only this city; may be repeated.")] = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run one forecast cycle: observations and weather in, forecast, warnings and map out."""
    from rich.console import Console

    from hazecast.services.work.cycle import run_cycle
    from hazecast.services.work.report import as_dict, print_report

    settings = _settings(data_dir, observations, weather)
    report = run_cycle(settings, init_time=_time(init_time, "--init-time"), cities=tuple(city or ()))
    if as_json:
        print(json.dumps(as_dict(report), ensure_ascii=False, indent=2))
    else:
        width = None if sys.stdout.isatty() else 110
        print_report(report, Console(width=width, highlight=False))
    if report.status == "degraded":
        raise typer.Exit(EXIT_DEGRADED)


app.command()(ingest)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: DataDir = None,
    with_scheduler: Annotated[
        bool, typer.Option("--scheduler/--no-scheduler", help="Run the scheduled jobs too, or stand by for them.")
    ] = True,
) -> None:
    """Serve the API and run the scheduled jobs."""
    from hazecast.services.web.server import serve as serve_forever

    if serve_forever(_settings(data_dir), host=host, port=port, with_scheduler=with_scheduler):
        raise typer.Exit(EXIT_DEGRADED)


app.command()(scheduler)


@app.command()
def sample(folder: Annotated[Path, typer.Argument(help="Where to write it.")], init_time: InitTime = None) -> None:
    """Write the simulated sample: a week of observations and weather, plainly labelled."""
    from hazecast.grids.places.cities import load_registry
    from hazecast.services.work.sample import write_sample

    now = current_time().replace(minute=0, second=0, microsecond=0)
    print(write_sample(folder, load_registry(), _time(init_time, "--init-time") or now))


@app.command()
def train(
    observations: Annotated[
        list[Path], typer.Option("--observations", help="Folder of a collection; may be repeated.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for weights, model card and the state of the training.")],
    train_until: Annotated[str, typer.Option("--train-until", help="No later hour is read.")] = "2015-02-28T16:00Z",
    windows: Annotated[int | None, typer.Option("--windows", min=1, help="How many training windows to draw.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the training.")] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or auto.")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="auto (mixed on a GPU), fp32, bf16 or fp16.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished training in --out.")] = False,
    state_every: Annotated[int, typer.Option("--state-every", min=1, help="Steps between two written states.")] = 200,
) -> None:
    """Train the network and write its weights and model card; under torchrun, on several GPUs."""
    from hazecast.models.training.loop import Run
    from hazecast.models.zoo.network_training import TrainingSettings
    from hazecast.services.research.experiments import STATE_FILE, train_and_save

    given = {"windows": windows, "seed": seed}
    settings = TrainingSettings(**{name: value for name, value in given.items() if value is not None})
    run = Run(device, precision, out / STATE_FILE, state_every, resume)  # type: ignore[arg-type]
    until = _time(train_until, "--train-until")
    assert until is not None
    print(train_and_save(observations, until, out, settings, run))


@app.command()
def backtest(
    observations: Annotated[Path, typer.Option("--observations", help="Folder of a collection.")],
    start: Annotated[str, typer.Option("--from", help="First hour of the test period.")],
    end: Annotated[str, typer.Option("--to", help="Last hour of the test period.")],
    train_until: Annotated[str, typer.Option("--train-until", help="Models learn from no later hour.")],
    models: Annotated[
        str, typer.Option("--models", help="Comma-separated names, or all.")
    ] = "network,persistence,diurnal_persistence,climatology",
    weather: Annotated[
        str, typer.Option("--weather", help="none, observed (perfect prog) or a path of weather files.")
    ] = "none",
    perturb: Annotated[
        bool, typer.Option("--perturb", help="Disturb observed weather as a forecast of it would be.")
    ] = False,
    every: Annotated[int, typer.Option("--every", help="Hours between init times.")] = 3,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train the network anew, not load a shipped one.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the scores as JSON.")] = None,
) -> None:
    """Score models on a past period that none of them was trained on."""
    from hazecast.models.kinds import model_names
    from hazecast.services.research.backtests import BacktestPlan, run_backtest
    from hazecast.services.research.files import write_json

    first, last, until = _time(start, "--from"), _time(end, "--to"), _time(train_until, "--train-until")
    assert first is not None and last is not None and until is not None
    names = tuple(model_names()) if models == "all" else tuple(models.split(","))
    plan = BacktestPlan(observations, until, first, last, names, weather, perturb, every, retrain)
    result, text = run_backtest(plan)
    print(text)
    if out is not None:
        write_json(result, out)


app.command()(bulletin)
app.command()(forecast)
register_maps(app)
app.command()(verify)
app.add_typer(models_app, name="models")
app.add_typer(jobs_app, name="jobs")
app.add_typer(accounts_app, name="accounts")
app.add_typer(study_app, name="study")
register_warnings(app)
register_store(app)
register_subscribers(app)


def main() -> None:
    """Run the command; bad input ends with code 2 and one clear line."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        app()
    except Exception as error:
        # Imported here: grids pulls in xarray, which --help must not wait for.
        from pydantic import ValidationError

        from hazecast.grids.errors import InputError

        if isinstance(error, InputError | ValidationError):
            from hazecast.services.core.settings import explained

            if isinstance(error, ValidationError) and error.title == "Settings":
                print(f"hazecast: {explained(error)}", file=sys.stderr)
            else:
                print(f"hazecast: {error}", file=sys.stderr)
            sys.exit(EXIT_INPUT)
        from hazecast.services.client.client import ServerError

        if isinstance(error, ServerError):
            print(f"hazecast: {error}", file=sys.stderr)
            sys.exit(EXIT_INPUT if error.refused else EXIT_FAILED)
        from hazecast.services.core.errors import StoreError

        if isinstance(error, StoreError):
            print(f"hazecast: {error}", file=sys.stderr)
            sys.exit(EXIT_FAILED)
        logging.getLogger("hazecast").exception("failed")
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
