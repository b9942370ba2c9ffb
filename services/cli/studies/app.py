"""``hazecast study``: the studies' commands, made of the studies' functions."""

from __future__ import annotations

import typer

from hazecast.services.cli.studies.commands import command_of
from hazecast.services.research.studies.registry import COMMANDS

study_app = typer.Typer(
    help="Studies: sources of particles, ozone formation, wind and transport, effect of measures, climatology, quality of "
    "measurements, choice of sites, visibility, emissions.",
    no_args_is_help=True,
)
for _name, _study in COMMANDS.items():
    study_app.command(_name)(command_of(_study))
