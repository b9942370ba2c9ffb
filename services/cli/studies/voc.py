"""``hazecast study voc-change``, ``study solvent`` and ``study removal``: VOC before and after a measure, and solvents."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli.studies.options import Output, Table, option_groups
from hazecast.services.cli.studies.output import Result, emit

app = typer.Typer()


@app.command()
@option_groups
def voc_change(
    before: Annotated[Path, typer.Argument(help="CSV file of the samples before (first column names the sample).")],
    after: Annotated[Path, typer.Argument(help="CSV file of the samples after, named as their partners before.")],
    units: Annotated[str, typer.Option("--units", help="ppb (of the compound) or ug m-3.")],
    *,
    output: Output,
) -> None:
    """Change of ozone formation potential and OH reactivity between paired VOC samples, with intervals."""
    from hazecast.forecast.studies.ozone.voc_change import paired_change
    from hazecast.forecast.studies.ozone.voc_plots import change
    from hazecast.grids.observations.sample_tables import read_samples

    found = paired_change(read_samples(before), read_samples(after), units)  # type: ignore[arg-type]
    summary = {
        "pairs": found.pairs,
        "samples_not_paired": list(found.not_paired),
        "species_not_in_both": list(found.not_in_both),
        "columns_not_known": list(found.unknown),
        "cells_missing": found.cells_missing,
        "note": "a change of the air: weather and season are in it, see study intervention",
    }
    tables = {"totals": found.totals, "species": found.species}
    emit(Result(summary, tables, {"change": change(found)}), output, ("totals", "species"))


@app.command()
@option_groups
def solvent(table: Table, *, output: Output) -> None:
    """Solvent balance of a plant (columns item, kg, uncertainty; items I1 to O9 of Directive 2010/75/EU)."""
    from hazecast.forecast.studies.ozone.solvent import solvent_balance
    from hazecast.forecast.studies.ozone.voc_plots import balance
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["item"], ["kg", "uncertainty"])
    found = solvent_balance(data.set_index("item"))
    summary = {"closes": found.closes, "items_taken_as_zero": list(found.assumed_zero)}
    emit(Result(summary, {"balance": found.table}, {"balance": balance(found)}), output, ("balance",))


@app.command()
@option_groups
def removal(
    table: Table,
    systematic: Annotated[
        float,
        typer.Option("--systematic", min=0.0, help="Relative standard uncertainty common to all runs, share of 1."),
    ] = 0.0,
    *,
    output: Output,
) -> None:
    """Removal efficiency of abatement (columns run, inlet, outlet; inlet_flow and outlet_flow where they differ)."""
    from hazecast.forecast.studies.ozone.solvent import removal_efficiency
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["run"], ["inlet", "outlet", "inlet_flow?", "outlet_flow?"])
    found = removal_efficiency(data.set_index("run"), systematic=systematic)
    emit(Result(asdict(found)), output)
