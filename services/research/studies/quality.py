"""``hazecast study network|equivalence|detection|chart|interlab``: quality of measurements."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from hazecast.services.research.studies.asking import Observed, OneTable, Option, study
from hazecast.services.research.studies.observations import Observations
from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@study
def network(
    observations: Annotated[Observations, Observed("With stations.")],
    pollutant: Annotated[str, Option("Such as pm25 or o3.")] = "pm25",
) -> Result:
    """Compare each station with the others: level, correlation, drift and steps."""
    from hazecast.forecast.studies.quality.plots import station_ratios
    from hazecast.forecast.studies.quality.station_agreement import consistency, too_few_days

    hourly = observations.stations(pollutant)
    few = too_few_days(hourly)
    hourly = hourly.drop(columns=few)
    table = consistency(hourly)
    summary = {
        "pollutant": pollutant,
        "stations": len(table),
        "stations_with_too_few_days": few,
        "unlike_the_others": [str(name) for name in table.index[table["unlike"] != ""]],
        "with_a_step": [str(name) for name in table.index[table["shift"].notna()]],
    }
    figures = {"ratios": station_ratios(hourly, table, list(table.index))}
    return Result(summary, {"stations": table}, figures, printed=("stations",))


@dataclass(frozen=True)
class LineOptions:
    """Limits of the line of the candidate on the reference, by the standard that applies."""

    slope_within: Annotated[
        float | None,
        Option("Largest difference of the line's slope from 1 (HJ 653, Japan)."),
    ] = None
    intercept_within: Annotated[float | None, Option("Largest absolute intercept of the line, ug m-3.")] = None
    correlation_least: Annotated[float | None, Option("Smallest correlation coefficient.")] = None


@study
def equivalence(
    table: OneTable,
    limit: Annotated[float, Option("Limit value for the uncertainty: 30 for daily PM2.5, 50 for PM10.")],
    reference_error: Annotated[
        float,
        Option("Uncertainty between two references; with a column reference2 it is measured.", least=0.0),
    ] = 0.67,
    *,
    line: LineOptions,
) -> Result:
    """Test a candidate instrument against the reference (columns day, reference, candidate, candidate2, reference2)."""
    from hazecast.forecast.studies.quality.equivalence import BETWEEN_REFERENCES
    from hazecast.forecast.studies.quality.equivalence import equivalence as test
    from hazecast.forecast.studies.quality.plots import against_reference
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_samples

    data = read_samples(table, alike=[("reference", "reference2", "candidate", "candidate2")])
    missing = [name for name in ("reference", "candidate") if name not in data]
    if missing:
        raise InputError(f"{table}: columns", list(data.columns), f"also {', '.join(missing)}")
    reference, candidate = data["reference"].to_numpy(), data["candidate"].to_numpy()
    summary: dict[str, Any] = {}
    if "reference2" in data:
        reference, reference_error = _two_references(reference, data["reference2"].to_numpy(), table)
        summary |= {"between_references": reference_error, "references_agree": reference_error <= BETWEEN_REFERENCES}
    second = data["candidate2"].to_numpy() if "candidate2" in data else None
    found = test(reference, candidate, limit=limit, reference_error=reference_error, second=second)
    figures = {"line": against_reference(reference, candidate, found)}
    both = candidate if second is None else (candidate + second) / 2
    summary |= {"days_left_out": len(data) - found.pairs} | asdict(found) | _by_the_line(reference, both, line)
    return Result(summary, {"days": data}, figures)


def _by_the_line(reference: Array, candidate: Array, line: LineOptions) -> dict[str, Any]:
    """Return the comparison by least squares, where its limits are given."""
    from hazecast.forecast.studies.quality.linear_criteria import LinearCriteria, compare_linear
    from hazecast.grids.errors import InputError

    slope, intercept, correlation = line.slope_within, line.intercept_within, line.correlation_least
    if slope is None and intercept is None and correlation is None:
        return {}
    if slope is None or intercept is None or correlation is None:
        raise InputError(
            "--slope-within, --intercept-within, --correlation-least",
            "some of them",
            "all three of the standard's limits",
        )
    found = compare_linear(reference, candidate, LinearCriteria(slope, intercept, correlation))
    return {f"line_{name}": value for name, value in asdict(found).items()}


def _two_references(first: Array, second: Array, table: Path) -> tuple[Array, float]:
    """Return the mean of two references and the uncertainty between them."""
    import numpy as np

    from hazecast.forecast.studies.quality.equivalence import between_sampler
    from hazecast.grids.errors import InputError

    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        raise InputError(f"{table}: column reference2", "no day together with reference", "some")
    return np.nanmean(np.stack([first, second]), axis=0), between_sampler(first[both], second[both])


@study
def detection(
    table: OneTable,
    level: Annotated[
        float | None,
        Option("Concentration of the spikes; not with hj168, which takes their mean."),
    ] = None,
    standard: Annotated[Literal["epa", "hj168"], Option("40 CFR part 136 appendix B, or HJ 168 annex A.")] = "epa",
) -> Result:
    """Method detection limit from spiked samples and blanks (columns kind: spike or blank, value)."""
    from hazecast.forecast.studies.quality.laboratory import detection_limit, detection_limit_hj168
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["kind"], ["value"])
    for line, kind in data["kind"].items():
        if kind not in ("spike", "blank"):
            raise InputError(f"{table}, line {line}, column kind", kind, "spike or blank")
    parts = {kind: data.loc[data["kind"] == kind, "value"].to_numpy(dtype=float) for kind in ("spike", "blank")}
    if standard == "epa":
        return Result(asdict(detection_limit(parts["spike"], parts["blank"], level=level)))
    if level is not None:
        raise InputError("--level", level, "none with --standard hj168")
    return Result(asdict(detection_limit_hj168(parts["spike"], parts["blank"])))


@study
def chart(
    table: OneTable,
    column: Annotated[str, Option("Column to chart.")],
    target: Annotated[float | None, Option("Value in control; by default the baseline's mean.")] = None,
    deviation: Annotated[float | None, Option("Its standard deviation; by default from moving ranges.")] = None,
    points: Annotated[int | None, Option("So many first points are the baseline.", least=10, named="baseline")] = None,
) -> Result:
    """Shewhart, EWMA and CUSUM charts of repeated measurements (first column names the points)."""
    import pandas as pd

    from hazecast.forecast.studies.quality.control_charts import baseline, cusum, ewma, shewhart, shift_began
    from hazecast.forecast.studies.quality.plots import charts
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_samples

    data = read_samples(table)
    if column not in data:
        raise InputError(f"{table}: --column", column, f"one of {list(data.columns)}")
    values = data[column]
    _check_oldest_first(table, list(map(str, values.index)))
    if target is None or deviation is None:
        mean, spread = baseline(values, points)
        target, deviation = mean if target is None else target, spread if deviation is None else deviation
    if not deviation > 0:
        raise InputError("--deviation", deviation, "above 0")
    found = [make(values, target, deviation) for make in (shewhart, ewma, cusum)]
    signalled = [point for point in values.index if any(point in one.signals.index for one in found)]
    signals = pd.DataFrame({one.kind: one.signals for one in found}).reindex(signalled)
    signals.index.name = values.index.name
    summary = {
        "points": int(values.notna().sum()),
        "points_missing": int(values.isna().sum()),
        "target": float(target),
        "deviation": float(deviation),
        "shift_began": shift_began(found[-1]),
    }
    tables = {"signals": signals.fillna("")} | {one.kind: one.statistic for one in found}
    return Result(summary, tables, {"charts": charts(found, values)}, printed=("signals",))


def _check_oldest_first(table: Path, points: list[str]) -> None:
    """Raise InputError where points are days that do not follow each other: many exports have the newest first."""
    from hazecast.grids.errors import InputError

    try:
        days = [datetime.fromisoformat(point) for point in points]
        back = [number for number, (one, other) in enumerate(pairwise(days), 1) if other < one]
    except (ValueError, TypeError):
        # Names, or times of which some have an offset.
        return
    if back:
        raise InputError(f"{table}: {points[back[0]]}", f"after {points[back[0] - 1]}", "the oldest point first")


@study
def interlab(
    table: OneTable,
    assigned: Annotated[float | None, Option("Known content; by default the robust mean.")] = None,
    assigned_error: Annotated[float, Option("Its standard uncertainty.", least=0.0)] = 0.0,
    deviation: Annotated[float | None, Option("Standard deviation for assessment; by default the robust one.")] = None,
) -> Result:
    """Score laboratories on a blind sample (columns laboratory, value, and uncertainty where given)."""
    from hazecast.forecast.studies.quality.laboratory import interlaboratory
    from hazecast.forecast.studies.quality.plots import scores
    from hazecast.grids.observations.sample_tables import read_labelled

    columns = ["value", "uncertainty?"]
    data = read_labelled(table, ["laboratory"], columns, alike=[("value", "uncertainty")], once="laboratory")
    named = data.set_index("laboratory")
    found = interlaboratory(
        named["value"].astype(float),
        named["uncertainty"].astype(float) if "uncertainty" in named else None,
        assigned=assigned, assigned_error=assigned_error, deviation=deviation,
    )  # fmt: skip
    summary = {
        "laboratories": len(named),
        "assigned": found.assigned,
        "assigned_error": found.assigned_error,
        "from": found.source,
        "deviation": found.deviation,
        "score": found.score,
        "not_satisfactory": [str(n) for n in found.table.index[found.table["verdict"] != "satisfactory"]],
    }
    return Result(summary, {"scores": found.table}, {"scores": scores(found)}, printed=("scores",))
