"""``hazecast study voc-change``, ``study solvent`` and ``study removal``: VOC before and after a measure, and solvents."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from hazecast.services.research.studies.asking import OneTable, Option, Table, study
from hazecast.services.research.studies.result import Result


@study
def voc_change(
    before: Annotated[Path, Table("CSV file of the samples before (first column names the sample).")],
    after: Annotated[Path, Table("CSV file of the samples after, named as their partners before.")],
    units: Annotated[str, Option("ppb (of the compound) or ug m-3.")],
) -> Result:
    """Change of ozone formation potential and OH reactivity between paired VOC samples, with intervals."""
    from hazecast.forecast.studies.ozone.voc_change import paired_change
    from hazecast.forecast.studies.ozone.voc_plots import change
    from hazecast.grids.observations.sample_tables import read_samples

    first, second = (read_samples(path, unit=units) for path in (before, after))
    found = paired_change(first, second, units)  # type: ignore[arg-type]
    summary = {
        "pairs": found.pairs,
        "samples_not_paired": list(found.not_paired),
        "species_not_in_both": list(found.not_in_both),
        "columns_not_known": list(found.unknown),
        "cells_missing": found.cells_missing,
        "note": "a change of the air: weather and season are in it, see study intervention",
    }
    tables = {"totals": found.totals, "species": found.species}
    return Result(summary, tables, {"change": change(found)}, printed=("totals", "species"))


@study
def solvent(table: OneTable) -> Result:
    """Solvent balance of a plant (columns item, kg, uncertainty; items I1 to O9 of Directive 2010/75/EU)."""
    from hazecast.forecast.studies.ozone.solvent import solvent_balance
    from hazecast.forecast.studies.ozone.voc_plots import balance
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["item"], ["kg", "uncertainty"], units={"kg": "kg", "uncertainty": "kg"}, once="item")
    found = solvent_balance(data.set_index("item"))
    summary = {"closes": found.closes, "items_taken_as_zero": list(found.assumed_zero)}
    return Result(summary, {"balance": found.table}, {"balance": balance(found)}, printed=("balance",))


@study
def removal(
    table: OneTable,
    systematic: Annotated[
        float,
        Option("Relative standard uncertainty common to all runs, share of 1.", least=0.0, most=1.0),
    ] = 0.0,
) -> Result:
    """Removal efficiency of abatement (columns run, inlet, outlet; inlet_flow and outlet_flow where they differ)."""
    from hazecast.forecast.studies.ozone.solvent import removal_efficiency
    from hazecast.grids.observations.sample_tables import read_labelled

    columns = ["inlet", "outlet", "inlet_flow?", "outlet_flow?"]
    alike = [("inlet", "outlet"), ("inlet_flow", "outlet_flow")]
    data = read_labelled(table, ["run"], columns, alike=alike, once="run")
    found = removal_efficiency(data.set_index("run"), systematic=systematic)
    return Result(asdict(found))
