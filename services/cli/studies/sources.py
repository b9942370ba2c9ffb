"""``hazecast study sources`` and ``study mass-balance``: where particles come from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.cli.studies.output import AsJson, Out, Table, emit

if TYPE_CHECKING:
    import pandas as pd

    from hazecast.forecast.studies.particles.pmf import Factorization
    from hazecast.forecast.studies.particles.speciation import Samples

Uncertainties = Annotated[
    Path | None, typer.Option("--uncertainties", help="CSV of standard uncertainties, laid out as the concentrations.")
]
Limits = Annotated[
    Path | None,
    typer.Option("--limits", help="CSV with the columns species, limit (unit of the samples), error_fraction."),
]
Total = Annotated[str | None, typer.Option("--total", help="Column that holds the whole mass, such as PM2.5.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command()(sources)
    app.command(name="mass-balance")(mass_balance)


def sources(
    concentrations: Table,
    uncertainties: Uncertainties = None,
    limits: Limits = None,
    total: Total = None,
    factors: Annotated[str, typer.Option("--factors", help="A number, or a range such as 3-8 to choose from.")] = "3-8",
    weak: Annotated[list[str] | None, typer.Option("--weak", help="Species to down-weight; may be repeated.")] = None,
    bad: Annotated[list[str] | None, typer.Option("--bad", help="Species to leave out; may be repeated.")] = None,
    zero: Annotated[
        list[str] | None,
        typer.Option("--zero", help="FACTOR:SPECIES that must be absent, such as 2:Si; may be repeated."),
    ] = None,
    starts: Annotated[int, typer.Option("--starts", min=1, help="Random starts.")] = 20,
    bootstraps: Annotated[int, typer.Option("--bootstraps", min=0, help="Bootstrap runs; 0 for none.")] = 0,
    block: Annotated[int, typer.Option("--block", min=1, help="Samples in a bootstrap block.")] = 3,
    displacement: Annotated[
        bool, typer.Option("--displacement", help="Displace every element; takes minutes.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of starts and resampling.")] = 0,
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Take speciated samples apart into sources by positive matrix factorization."""
    from hazecast.forecast.studies.particles import plots as source_plots
    from hazecast.forecast.studies.particles.pmf import factorize
    from hazecast.forecast.studies.particles.pmf_number import compare_factor_numbers
    from hazecast.forecast.studies.particles.pmf_uncertainty import bootstrap, displace
    from hazecast.grids.errors import InputError

    samples = _samples(concentrations, uncertainties, limits, total, weak or (), bad or ())
    first, last = _range(factors)
    progress = _progress()
    summary: dict[str, Any] = {}
    tables: dict[str, pd.DataFrame] = {}
    figures = {}
    if last > first:
        found = compare_factor_numbers(samples, range(first, last + 1), starts=starts, seed=seed, progress=progress)
        tables["numbers"] = found.table
        figures["numbers"] = source_plots.numbers(found)
        if found.suggested is None:
            summary["note"] = f"even {last} factors gain more than noise: try more; shown are {last}"
        base = found.solutions[found.suggested or last]
    else:
        base = factorize(samples, first, starts=starts, seed=seed, progress=progress)
    if zero:
        base = factorize(
            samples, len(base.factors), first=base, zeros=[_zero(text, len(base.factors)) for text in zero]
        )
    summary |= _summary(base)
    tables |= _tables(base)
    resampled = None
    if bootstraps:
        resampled = bootstrap(base, runs=bootstraps, block=block, seed=seed, progress=progress)
        summary["bootstrap_stability"] = [round(float(share), 2) for share in resampled.stability]
        tables |= {"bootstrap_mapping": resampled.mapping, "bootstrap_profiles": resampled.profiles}
    if displacement:
        moved = displace(base, progress=progress)
        summary["displacement_largest_fall"] = moved.largest_fall
        tables |= {"displacement": moved.intervals, "displacement_swaps": moved.swaps}
    figures["profiles"] = source_plots.profiles(base, resampled)
    if samples.total:
        figures["contributions"] = source_plots.contributions(base)
    chosen = ("numbers", "profiles", "fit", "bootstrap_mapping", "displacement_swaps")
    if not base.converged:
        print(f"the best of {starts} starts had not settled: try more starts", file=sys.stderr)
    if not tables["profiles"].to_numpy().any():
        raise InputError(str(concentrations), "profiles of zero", "concentrations above their uncertainties")
    emit(summary, tables, figures, as_json=as_json, out=out, shown=tuple(name for name in chosen if name in tables))


def mass_balance(
    concentrations: Table,
    profiles: Annotated[Path, typer.Option("--profiles", help="CSV: a row a source, shares of its mass by species.")],
    uncertainties: Uncertainties = None,
    limits: Limits = None,
    profile_uncertainties: Annotated[
        Path | None, typer.Option("--profile-uncertainties", help="CSV laid out as the profiles.")
    ] = None,
    profile_fraction: Annotated[
        float,
        typer.Option("--profile-fraction", min=0.0, help="Relative uncertainty of the profiles without such a file."),
    ] = 0.1,
    total: Total = None,
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Fit given source profiles to each sample (chemical mass balance, none below zero)."""
    import numpy as np

    from hazecast.forecast.studies.particles.mass_balance import mass_balance as fit
    from hazecast.grids.observations.sample_tables import read_samples

    values, errors, _ = _measured(concentrations, uncertainties, limits)
    mass = None
    if total is not None:
        mass = _column(values, total, concentrations)
    shares = read_samples(profiles)
    spread = profile_fraction * shares if profile_uncertainties is None else read_samples(profile_uncertainties)
    kept = [name for name in values.columns if name != total]
    result = fit(values[kept], errors[kept], shares, spread, total=mass)
    summary: dict[str, Any] = {
        "samples": len(values),
        "species": len([name for name in shares.columns if name in kept]),
        "mean_contributions": {k: round(float(v), 4) for k, v in result.contributions.mean().items()},
        "median_chi2": float(result.quality["chi2"].median()),
        "median_r2": float(result.quality["r2"].median()),
        "median_mass_share": float(np.nanmedian(result.quality["mass_share"])) if mass is not None else None,
        "samples_not_converged": int((~result.quality["converged"].astype(bool)).sum()),
    }
    tables = {"contributions": result.contributions, "errors": result.errors, "quality": result.quality}
    emit(summary, tables, {}, as_json=as_json, out=out, shown=("contributions", "quality"))


def _measured(
    concentrations: Path, uncertainties: Path | None, limits: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Return concentrations, uncertainties and detection limits from the files given."""
    from hazecast.forecast.studies.particles.speciation import equation_uncertainty
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_labelled, read_samples

    values = read_samples(concentrations)
    table = None if limits is None else read_labelled(limits, ["species"], ["limit", "error_fraction?"])
    known = {} if table is None else dict(zip(table["species"], table["limit"].astype(float), strict=True))
    known = {str(name): limit for name, limit in known.items() if str(name) in values.columns}
    if uncertainties is not None:
        return values, read_samples(uncertainties), known
    if table is None or "error_fraction" not in table:
        raise InputError(
            "--uncertainties, --limits", "neither gives uncertainties", "one file, or limits with error_fraction"
        )
    fractions = {str(k): float(v) for k, v in zip(table["species"], table["error_fraction"], strict=True)}
    return values, equation_uncertainty(values, known, fractions), known


def _samples(
    concentrations: Path,
    uncertainties: Path | None,
    limits: Path | None,
    total: str | None,
    weak: list[str] | tuple[()],
    bad: list[str] | tuple[()],
) -> Samples:
    from hazecast.forecast.studies.particles.speciation import prepare

    values, errors, known = _measured(concentrations, uncertainties, limits)
    if total is not None:
        _column(values, total, concentrations)
    return prepare(values, errors, limits=known, total=total, weak=weak, bad=bad)


def _column(values: pd.DataFrame, name: str, path: Path) -> pd.Series:
    from hazecast.grids.errors import InputError

    if name not in values.columns:
        raise InputError(f"{path}: --total", name, f"one of its columns {list(values.columns)}")
    return values[name]


def _range(text: str) -> tuple[int, int]:
    from hazecast.grids.errors import InputError

    parts = text.split("-")
    if not 1 <= len(parts) <= 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise InputError("--factors", text, "a number such as 6, or a range such as 3-8")
    first, last = int(parts[0]), int(parts[-1])
    if last < first:
        raise InputError("--factors", text, "a range that rises")
    return first, last


def _zero(text: str, factors: int) -> tuple[int, str]:
    from hazecast.grids.errors import InputError

    number, colon, species = text.partition(":")
    if not colon or not number.isdigit() or not 1 <= int(number) <= factors:
        raise InputError("--zero", text, f"FACTOR:SPECIES with a factor from 1 to {factors}")
    return int(number) - 1, species


def _summary(base: Factorization) -> dict[str, Any]:
    samples = base.samples
    return {
        "samples": len(samples.concentration),
        "species": len(samples.species),
        "weak_species": list(samples.weak),
        "species_left_out": list(samples.left_out),
        **samples.counts,
        "factors": len(base.factors),
        "q_robust": base.q_robust,
        "q_true": base.q_true,
        "q_expected": base.q_expected,
        "starts_at_the_minimum": f"{100 * base.reached:.0f} % of {len(base.start_q)}",
    }


def _tables(base: Factorization) -> dict[str, pd.DataFrame]:
    tables = {
        "profiles": base.profiles.T,
        "shares": base.explained().T,
        "contributions": base.contributions,
        "scaled_residuals": base.scaled_residuals(),
        "fit": base.fit(),
    }
    if base.samples.total is not None:
        tables["mass"] = base.mass()
        tables["unidentified"] = base.unidentified().to_frame("share of the factor's mass")
    return tables


def _progress() -> Any:
    """Show the newest line of progress on a terminal; keep quiet elsewhere."""
    if not sys.stderr.isatty():
        return None

    def show(text: str) -> None:
        print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)

    return show
