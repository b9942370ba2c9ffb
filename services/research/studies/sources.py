"""``hazecast study sources`` and ``study mass-balance``: source apportionment of particles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hazecast.services.research.studies.asking import OneTable, Option, Table, progress, study
from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from hazecast.forecast.studies.particles.pmf import Factorization, Progress
    from hazecast.forecast.studies.particles.speciation import Samples

_PRINTED = ("numbers", "profiles", "fit", "bootstrap_mapping", "displacement_swaps", "bs_disp", "fpeak")


@dataclass(frozen=True)
class MeasurementOptions:
    """Files and columns beside the concentrations."""

    uncertainties: Annotated[
        Path | None,
        Table("CSV of standard uncertainties, laid out as the concentrations."),
    ] = None
    limits: Annotated[
        Path | None,
        Table("CSV with the columns species, limit (unit of the samples), error_fraction."),
    ] = None
    total: Annotated[str | None, Option("Column that holds the whole mass, such as PM2.5.")] = None


@dataclass(frozen=True)
class SampleOptions(MeasurementOptions):
    """The samples of a factorization."""

    weak: Annotated[list[str] | None, Option("Species to down-weight; may be repeated.")] = None
    bad: Annotated[list[str] | None, Option("Species to leave out; may be repeated.")] = None


@dataclass(frozen=True)
class FitOptions:
    """The factorization."""

    factors: Annotated[str, Option("A number, or a range such as 3-8 to choose from.")] = "3-8"
    zero: Annotated[
        list[str] | None,
        Option("FACTOR:SPECIES that must be absent, such as 2:Si; may be repeated."),
    ] = None
    starts: Annotated[int, Option("Random starts.", least=1)] = 20
    seed: Annotated[int, Option("Of starts and resampling.", least=0)] = 0


@dataclass(frozen=True)
class UncertaintyOptions:
    """The uncertainty of the factorization."""

    bootstraps: Annotated[int, Option("Bootstrap runs; 0 for none.", least=0)] = 0
    block: Annotated[int, Option("Samples in a bootstrap block.", least=1)] = 3
    displacement: Annotated[bool, Option("Displace every element; may take a minute.")] = False
    bs_disp: Annotated[
        list[str] | None,
        Option("Species to displace in resamples (BS-DISP), a marker; may be repeated."),
    ] = None
    bs_disp_runs: Annotated[int, Option("Resamples of BS-DISP.", least=1)] = 50
    fpeak: Annotated[list[float] | None, Option("Strength of a rotation, -1 to 1; may be repeated.")] = None


@dataclass(frozen=True)
class ProfileOptions:
    """The source profiles of a mass balance."""

    profiles: Annotated[Path, Table("CSV: a row a source, shares of its mass by species.", by_option=True)]
    profile_uncertainties: Annotated[Path | None, Table("CSV laid out as the profiles.")] = None
    profile_fraction: Annotated[
        float,
        Option("Relative uncertainty of the profiles without such a file, share of 1.", least=0.0, most=1.0),
    ] = 0.1


@study
def sources(concentrations: OneTable, given: SampleOptions, fit: FitOptions, uncertainty: UncertaintyOptions) -> Result:
    """Apportion speciated samples to sources by positive matrix factorization."""
    from hazecast.grids.errors import InputError

    samples = _samples(concentrations, given)
    shown = progress.get()
    result = Result()
    base = _factorized(samples, fit, result, shown)
    result.summary |= _summary(base)
    result.tables |= _tables(base)
    _add_uncertainty(base, uncertainty, fit.seed, result, shown)
    if not base.converged:
        result.summary["not_settled"] = f"the best of {fit.starts} starts had not settled: try more starts"
    if not result.tables["profiles"].to_numpy().any():
        raise InputError(str(concentrations), "profiles of zero", "concentrations above their uncertainties")
    result.printed = [name for name in _PRINTED if name in result.tables]
    return result


def _factorized(samples: Samples, fit: FitOptions, result: Result, progress: Progress | None) -> Factorization:
    """Return the solution; with a range of factor numbers, add their comparison to the result."""
    from hazecast.forecast.studies.particles import plots as source_plots
    from hazecast.forecast.studies.particles.pmf import factorize
    from hazecast.forecast.studies.particles.pmf_number import compare_factor_numbers

    first, last = _range(fit.factors)
    if last > first:
        numbers = range(first, last + 1)
        found = compare_factor_numbers(samples, numbers, starts=fit.starts, seed=fit.seed, progress=progress)
        result.tables["numbers"] = found.table
        result.figures["numbers"] = source_plots.numbers(found)
        if found.suggested is None:
            result.summary["note"] = f"even {last} factors gain more than noise: try more; shown are {last}"
        base = found.solutions[found.suggested or last]
    else:
        base = factorize(samples, first, starts=fit.starts, seed=fit.seed, progress=progress)
    if fit.zero:
        number = len(base.factors)
        base = factorize(samples, number, first=base, zeros=[_zero(text, number) for text in fit.zero])
    return base


def _add_uncertainty(
    base: Factorization, options: UncertaintyOptions, seed: int, result: Result, progress: Progress | None
) -> None:
    """Add bootstrap, displacement and the figures of the solution to the result."""
    from hazecast.forecast.studies.particles import plots as source_plots
    from hazecast.forecast.studies.particles.pmf_uncertainty import bootstrap, displace

    resampled = None
    if options.bootstraps:
        resampled = bootstrap(base, runs=options.bootstraps, block=options.block, seed=seed, progress=progress)
        result.summary["bootstrap_stability"] = [round(float(share), 2) for share in resampled.stability]
        result.tables |= {"bootstrap_mapping": resampled.mapping, "bootstrap_profiles": resampled.profiles}
    if options.displacement:
        moved = displace(base, progress=progress)
        result.summary |= {
            "displacement_largest_fall_percent": round(100 * moved.largest_fall / max(base.q_robust, 1e-300), 4),
            "displacement_swaps_at_4": int(moved.swaps.to_numpy()[0].sum()),
        }
        result.tables |= {"displacement": moved.intervals, "displacement_swaps": moved.swaps}
    _add_rotation(base, options, seed, result, progress)
    result.figures["profiles"] = source_plots.profiles(base, resampled)
    if base.samples.total:
        result.figures["contributions"] = source_plots.contributions(base)


def _add_rotation(
    base: Factorization, options: UncertaintyOptions, seed: int, result: Result, progress: Progress | None
) -> None:
    """Add bootstrap with displacement and rotations to the result."""
    from hazecast.forecast.studies.particles.pmf_bs_disp import bootstrap_displace
    from hazecast.forecast.studies.particles.pmf_rotation import rotations

    if options.bs_disp:
        found = bootstrap_displace(
            base, options.bs_disp, runs=options.bs_disp_runs, block=options.block, seed=seed, progress=progress
        )
        result.summary |= {
            "bs_disp_accepted": f"{found.accepted} of {found.runs}",
            "bs_disp_swapped_in_fit": found.swapped_in_fit,
            "bs_disp_fallen": found.fallen,
            "bs_disp_largest_fall_percent": round(found.largest_fall, 3),
        }
        result.tables |= {
            "bs_disp": found.intervals,
            "bs_disp_swaps": found.swapped_in_displacement.to_frame("resamples"),
        }
    if options.fpeak:
        result.tables["fpeak"] = rotations(base, options.fpeak)


@study
def mass_balance(concentrations: OneTable, given: MeasurementOptions, sources: ProfileOptions) -> Result:
    """Fit given source profiles to each sample (chemical mass balance, none below zero)."""
    import numpy as np

    from hazecast.forecast.studies.particles.mass_balance import mass_balance as fit
    from hazecast.grids.observations.sample_tables import read_samples

    values, errors, _ = _measured(concentrations, given)
    mass = None if given.total is None else _column(values, given.total, concentrations)
    shares = read_samples(sources.profiles, unit="1")
    if sources.profile_uncertainties is None:
        spread = sources.profile_fraction * shares
    else:
        spread = read_samples(sources.profile_uncertainties, unit="1")
    species = [name for name in values.columns if name != given.total]
    # One without a column of uncertainties is refused by its first sample, where a profile has it.
    found = fit(values[species], errors.reindex(columns=species), shares, spread, total=mass)
    summary: dict[str, Any] = {
        "samples": len(values),
        "species": len([name for name in shares.columns if name in species]),
        "species_without_profile": [name for name in species if name not in shares],
        "species_of_profiles_not_measured": [str(name) for name in shares if name not in species],
        "mean_contributions": {k: round(float(v), 4) for k, v in found.contributions.mean().items()},
        "median_chi2": float(found.quality["chi2"].median()),
        "median_r2": float(found.quality["r2"].median()),
        "median_mass_share": float(np.nanmedian(found.quality["mass_share"])) if mass is not None else None,
        "samples_not_converged": int((~found.quality["converged"].astype(bool)).sum()),
    }
    tables = {"contributions": found.contributions, "errors": found.errors, "quality": found.quality}
    return Result(summary, tables, printed=("contributions", "quality"))


def _measured(concentrations: Path, given: MeasurementOptions) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Read concentrations, uncertainties and detection limits from the files given."""
    from hazecast.forecast.studies.particles.speciation import equation_uncertainty
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_labelled, read_samples

    values = read_samples(concentrations, marks=True, one_unit=True)
    columns = ["limit", "error_fraction?"]
    table = (
        None
        if given.limits is None
        else read_labelled(given.limits, ["species"], columns, units={"error_fraction": "1"}, once="species")
    )
    known = {} if table is None else dict(zip(table["species"], table["limit"].astype(float), strict=True))
    known = {str(name): limit for name, limit in known.items() if str(name) in values.columns}
    if given.uncertainties is not None:
        return values, read_samples(given.uncertainties, marks=True, one_unit=True), known
    if table is None or "error_fraction" not in table:
        raise InputError(
            "--uncertainties, --limits", "neither gives uncertainties", "one file, or limits with error_fraction"
        )
    fractions = {str(k): float(v) for k, v in zip(table["species"], table["error_fraction"], strict=True)}
    return values, equation_uncertainty(values, known, fractions), known


def _samples(concentrations: Path, given: SampleOptions) -> Samples:
    from hazecast.forecast.studies.particles.speciation import prepare

    values, errors, known = _measured(concentrations, given)
    if given.total is not None:
        _column(values, given.total, concentrations)
    return prepare(values, errors, limits=known, total=given.total, weak=given.weak or (), bad=given.bad or ())


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
        "q_epa": base.q_epa,
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
