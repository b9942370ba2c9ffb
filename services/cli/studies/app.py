"""``hazecast study``: the studies' commands. Each module of `hazecast.services.cli.studies` is one study."""

from __future__ import annotations

import typer

from hazecast.services.cli.studies import (
    box,
    climatology,
    emissions,
    exhaust,
    laboratory,
    measures,
    ozone,
    particles,
    quality,
    siting,
    sources,
    visibility,
    voc,
    wind,
)

study_app = typer.Typer(
    help="Studies: sources of particles, ozone formation, wind and transport, effect of measures, climatology, quality of "
    "measurements, choice of sites, visibility, emissions.",
    no_args_is_help=True,
)
for _study in (
    sources,
    particles,
    ozone,
    box,
    voc,
    wind,
    measures,
    climatology,
    quality,
    siting,
    visibility,
    laboratory,
    emissions,
    exhaust,
):
    study_app.add_typer(_study.app)
