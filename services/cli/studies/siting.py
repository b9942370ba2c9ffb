"""``hazecast study sites`` and ``study cover``: choice of monitoring sites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli.options import settings_of
from hazecast.services.cli.studies.options import Output, Table, option_groups
from hazecast.services.cli.studies.output import Result, emit

app = typer.Typer()


@app.command()
@option_groups
def sites(
    observations: Annotated[Path, typer.Option("--observations", help="Folder of a collection with stations.")],
    keep: Annotated[int, typer.Option("--keep", help="Stations to keep.")],
    pollutant: Annotated[str, typer.Option("--pollutant", help="Such as pm25 or o3.")] = "pm25",
    criterion: Annotated[
        str, typer.Option("--criterion", help="error, entropy or information: what the kept stations are to tell.")
    ] = "error",
    *,
    output: Output,
) -> None:
    """Choose the stations that keep the field, and what the removal of each would cost."""
    from hazecast.forecast.studies.quality.laboratory_plots import removal_costs
    from hazecast.forecast.studies.quality.siting import choose, daily_means, removal
    from hazecast.services.core.places import city_registry
    from hazecast.services.research.places import stations_at

    daily = daily_means(stations_at(observations, pollutant, city_registry(settings_of(None))))
    found = choose(daily, keep, criterion)
    summary = {
        "pollutant": pollutant,
        "criterion": criterion,
        "days": len(daily),
        "kept": list(found.kept),
        "choices_compared": found.compared or "one station after another",
        "mean_rmse": found.mean_rmse,
    }
    alone = removal(daily)
    figures = {"each_alone": removal_costs(alone, found.kept)}
    tables = {"removed": found.removed, "each_alone": alone}
    emit(Result(summary, tables, figures), output, ("removed", "each_alone"))


@app.command()
@option_groups
def cover(
    candidates: Table,
    demand: Annotated[Path, typer.Option("--demand", help="CSV: latitude, longitude, weight (people of a cell).")],
    number: Annotated[int, typer.Option("--number", help="Most sites to take.")],
    radius: Annotated[float, typer.Option("--radius", help="Of what a site stands for, km.")],
    *,
    output: Output,
) -> None:
    """Take the sites (columns site, latitude, longitude) that have most people within a radius, one after another."""
    from hazecast.forecast.studies.quality.siting import cover as take
    from hazecast.grids.observations.sample_tables import read_labelled

    where = read_labelled(candidates, ["site"], ["latitude", "longitude"]).set_index("site")
    found = take(where, read_labelled(demand, [], ["latitude", "longitude", "weight"]), number, radius)
    summary = {"sites": list(found.index), "share": float(found["share"].iloc[-1]) if len(found) else 0.0}
    emit(Result(summary, {"sites": found}), output, ("sites",))
