"""The ``hazecast`` command: its groups of commands, and how it ends.

Each module of this package defines commands on a Typer app of its own, named `app`. Commands import what they run
inside their function: ``hazecast --help`` loads no numerical package.
"""

from __future__ import annotations

import sys
import warnings as warnings_of_python
from typing import Annotated

import typer

from hazecast.services.cli import (
    accounts,
    bulletin,
    cities,
    cycle,
    exits,
    forecast,
    ingest,
    jobs,
    maps,
    models,
    observations,
    research,
    rules,
    runs,
    serve,
    store,
    subscribers,
    verification,
    warnings,
)
from hazecast.services.cli.options import Server, refuse_given
from hazecast.services.cli.studies.app import study_app

app = typer.Typer(
    name="hazecast",
    help="Air-quality forecasts and haze warnings for the partner cities.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
# The commands that read from a server where one is named.
_OF_A_SERVER = ("forecast", "map", "verify", "warnings")


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
    if context.invoked_subcommand not in _OF_A_SERVER:
        refuse_given(context, {"server": "--server"}, f"one of the commands {', '.join(_OF_A_SERVER)} with it")
    context.obj = server


# In the order of --help.
for _module in (cycle, ingest, serve, bulletin, forecast, maps, verification, research, store, subscribers):
    app.add_typer(_module.app)
for _name, _group in {
    "warnings": warnings.app,
    "models": models.app,
    "observations": observations.app,
    "cities": cities.app,
    "rules": rules.app,
    "runs": runs.app,
    "jobs": jobs.app,
    "accounts": accounts.app,
    "study": study_app,
    "db": store.db_app,
    "subscribers": subscribers.group,
}.items():
    app.add_typer(_group, name=_name)


def main() -> None:
    """Run the command; an error that the user can act on ends it with one clear message and its exit code."""
    import logging

    # Of libraries only errors: what they warn of is for their developers. PYTHONWARNINGS and python -W still decide.
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("hazecast").setLevel(logging.WARNING)
    if not sys.warnoptions:
        warnings_of_python.simplefilter("ignore")
    try:
        app(prog_name="hazecast")
    except Exception as error:
        explained = exits.explain(error)
        if explained is None:
            logging.getLogger("hazecast").exception("failed")
            sys.exit(exits.FAILED)
        code, message = explained
        print(f"hazecast: {message}", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
