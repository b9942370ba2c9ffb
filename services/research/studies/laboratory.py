"""``hazecast study homogeneity``, ``study duplicates`` and ``study budget``: samples, precision and uncertainty of a laboratory."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from hazecast.services.research.studies.asking import OneTable, Option, Table, study
from hazecast.services.research.studies.result import Result


@study
def homogeneity(
    table: OneTable,
    deviation: Annotated[float, Option("Standard deviation for proficiency assessment.")],
    later: Annotated[Path | None, Table("CSV file of other samples after storage: stability is checked too.")] = None,
) -> Result:
    """Homogeneity and stability of samples (first column names the sample, the others are its results)."""
    from hazecast.forecast.studies.quality.laboratory_plots import sample_spread
    from hazecast.forecast.studies.quality.samples import homogeneity as check
    from hazecast.forecast.studies.quality.samples import stability
    from hazecast.grids.observations.sample_tables import read_samples

    first = read_samples(table, one_unit=True).to_numpy()
    found = check(first, deviation)
    summary = {"homogeneity": asdict(found)}
    if later is not None:
        summary["stability"] = asdict(stability(first, read_samples(later, one_unit=True).to_numpy(), deviation))
    values = {f"{part}_{key}": value for part, one in summary.items() for key, value in one.items()}
    return Result(values, figures={"samples": sample_spread(first, found)})


@study
def duplicates(
    table: OneTable,
    floor: Annotated[
        float,
        Option("Pairs whose mean is not above it are left out: a detection limit.", least=0.0),
    ] = 0.0,
    allowed: Annotated[float, Option("Largest relative difference of a pair, share of its mean.", most=2.0)] = 0.2,
) -> Result:
    """Precision from duplicate samples (columns pair, first, second)."""
    from hazecast.forecast.studies.quality.duplicates import duplicates as estimate
    from hazecast.forecast.studies.quality.laboratory_plots import duplicate_differences
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["pair"], ["first", "second"], alike=[("first", "second")], once="pair")
    found = estimate(data.set_index("pair"), floor=floor, allowed=allowed)
    summary = {key: value for key, value in vars(found).items() if key not in ("table", "pairs")}
    summary["number"] = found.pairs
    summary["beyond_allowed"] = [str(name) for name in found.table.index[found.table["beyond"]]]
    figures = {"differences": duplicate_differences(found, allowed)}
    return Result(summary, {"pairs": found.table}, figures, printed=("pairs",))


@study
def budget(
    table: OneTable,
    confidence: Annotated[float, Option("Of the expanded uncertainty.")] = 0.95,
) -> Result:
    """Uncertainty budget (columns component, value, kind: standard, expanded, rectangular...; sensitivity, degrees)."""
    from hazecast.forecast.studies.quality.budget import uncertainty_budget
    from hazecast.forecast.studies.quality.laboratory_plots import budget_shares
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["component", "kind"], ["value", "sensitivity?", "degrees?"], once="component")
    found = uncertainty_budget(data.set_index("component"), confidence=confidence)
    summary = {key: value for key, value in vars(found).items() if key != "table"}
    figures = {"contributions": budget_shares(found)}
    return Result(summary, {"components": found.table}, figures, printed=("components",))
