"""``hazecast study sites`` and ``study cover``: choice of monitoring sites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hazecast.services.research.studies.asking import Observed, OneTable, Option, Table, study
from hazecast.services.research.studies.observations import Observations
from hazecast.services.research.studies.result import Result


@study
def sites(
    observations: Annotated[Observations, Observed("With stations.")],
    keep: Annotated[int, Option("Stations to keep.")],
    pollutant: Annotated[str, Option("Such as pm25 or o3.")] = "pm25",
    criterion: Annotated[str, Option("error, entropy or information: what the kept stations are to tell.")] = "error",
) -> Result:
    """Choose the stations that keep the field, and what the removal of each would cost."""
    from hazecast.forecast.studies.quality.laboratory_plots import removal_costs
    from hazecast.forecast.studies.quality.siting import choose, daily_means, removal

    daily = daily_means(observations.stations(pollutant))
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
    return Result(summary, {"removed": found.removed, "each_alone": alone}, figures, printed=("removed", "each_alone"))


@study
def cover(
    candidates: OneTable,
    demand: Annotated[Path, Table("CSV: latitude, longitude, weight (people of a cell).", by_option=True)],
    number: Annotated[int, Option("Most sites to take.")],
    radius: Annotated[float, Option("Of what a site stands for, km.")],
) -> Result:
    """Take the sites (columns site, latitude, longitude) that have most people within a radius, one after another."""
    from hazecast.forecast.studies.quality.siting import cover as take
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_labelled

    where = read_labelled(candidates, ["site"], ["latitude", "longitude"], once="site").set_index("site")
    people = read_labelled(demand, [], ["latitude", "longitude", "weight"])
    again = people.duplicated()
    if again.any():
        raise InputError(f"{demand}, line {people.index[again][0]}", "the same as an earlier row", "each cell once")
    found = take(where, people, number, radius)
    summary = {"sites": list(found.index), "share": float(found["share"].iloc[-1]) if len(found) else 0.0}
    return Result(summary, {"sites": found}, printed=("sites",))
