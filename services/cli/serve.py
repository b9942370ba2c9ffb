"""``hazecast serve`` and ``hazecast scheduler``: the processes that run until they are stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from hazecast.services.cli import exits
from hazecast.services.cli.options import DataDir, settings_of

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: DataDir = None,
    with_scheduler: Annotated[
        bool, typer.Option("--scheduler/--no-scheduler", help="Run the scheduled jobs too, or stand by for them.")
    ] = True,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes that answer requests.")] = None,
) -> None:
    """Serve the API and run the scheduled jobs."""
    from hazecast.services.web.server import serve as serve_forever

    if serve_forever(settings_of(data_dir), host=host, port=port, with_scheduler=with_scheduler, workers=workers):
        raise typer.Exit(exits.DEGRADED)


@app.command()
def scheduler(data_dir: DataDir = None) -> None:
    """Run the scheduled jobs until stopped, or stand by while another process does."""
    from hazecast.services.web.server import schedule

    if schedule(settings_of(data_dir)):
        raise typer.Exit(exits.DEGRADED)
