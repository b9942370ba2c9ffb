"""``hazecast study network|equivalence|detection|chart|interlab``: quality of measurements."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hazecast.services.cli.options import settings_of
from hazecast.services.cli.studies.options import Output, Table, option_groups
from hazecast.services.cli.studies.output import Result, emit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

app = typer.Typer()


@app.command()
@option_groups
def network(
    observations: Annotated[Path, typer.Option("--observations", help="Folder of a collection with stations.")],
    pollutant: Annotated[str, typer.Option("--pollutant", help="Such as pm25 or o3.")] = "pm25",
    *,
    output: Output,
) -> None:
    """Compare each station with the others: level, correlation, drift and steps."""
    from hazecast.forecast.studies.quality.plots import station_ratios
    from hazecast.forecast.studies.quality.station_agreement import consistency
    from hazecast.services.core.places import city_registry
    from hazecast.services.research.places import stations_at

    hourly = stations_at(observations, pollutant, city_registry(settings_of(None)))
    table = consistency(hourly)
    summary = {
        "pollutant": pollutant,
        "stations": len(table),
        "unlike_the_others": [str(name) for name in table.index[table["unlike"] != ""]],
        "with_a_step": [str(name) for name in table.index[table["shift"].notna()]],
    }
    figures = {"ratios": station_ratios(hourly, table, list(table.index))}
    emit(Result(summary, {"stations": table}, figures), output, ("stations",))


@dataclass(frozen=True)
class LineOptions:
    """Limits of the line of the candidate on the reference, by the standard that applies."""

    slope_within: Annotated[
        float | None,
        typer.Option("--slope-within", help="Largest difference of the line's slope from 1 (HJ 653, Japan)."),
    ] = None
    intercept_within: Annotated[
        float | None, typer.Option("--intercept-within", help="Largest absolute intercept of the line, ug m-3.")
    ] = None
    correlation_least: Annotated[
        float | None, typer.Option("--correlation-least", help="Smallest correlation coefficient.")
    ] = None


@app.command()
@option_groups
def equivalence(
    table: Table,
    limit: Annotated[
        float, typer.Option("--limit", help="Limit value for the uncertainty: 30 for daily PM2.5, 50 for PM10.")
    ],
    reference_error: Annotated[
        float,
        typer.Option(
            "--reference-error",
            min=0.0,
            help="Uncertainty between two references; with a column reference2 it is measured.",
        ),
    ] = 0.67,
    *,
    line: LineOptions,
    output: Output,
) -> None:
    """Test a candidate instrument against the reference (columns day, reference, candidate, candidate2, reference2)."""
    from hazecast.forecast.studies.quality.equivalence import BETWEEN_REFERENCES
    from hazecast.forecast.studies.quality.equivalence import equivalence as test
    from hazecast.forecast.studies.quality.plots import against_reference
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_samples

    data = read_samples(table)
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
    summary |= asdict(found) | _by_the_line(reference, both, line)
    emit(Result(summary, {"days": data}, figures), output)


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


@app.command()
@option_groups
def detection(
    table: Table,
    level: Annotated[
        float | None,
        typer.Option("--level", help="Concentration of the spikes; not with hj168, which takes their mean."),
    ] = None,
    standard: Annotated[
        Literal["epa", "hj168"], typer.Option("--standard", help="40 CFR part 136 appendix B, or HJ 168 annex A.")
    ] = "epa",
    *,
    output: Output,
) -> None:
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
        emit(Result(asdict(detection_limit(parts["spike"], parts["blank"], level=level))), output)
        return
    if level is not None:
        raise InputError("--level", level, "none with --standard hj168")
    emit(Result(asdict(detection_limit_hj168(parts["spike"], parts["blank"]))), output)


@app.command()
@option_groups
def chart(
    table: Table,
    column: Annotated[str, typer.Option("--column", help="Column to chart.")],
    target: Annotated[
        float | None, typer.Option("--target", help="Value in control; by default the baseline's mean.")
    ] = None,
    deviation: Annotated[
        float | None, typer.Option("--deviation", help="Its standard deviation; by default from moving ranges.")
    ] = None,
    points: Annotated[
        int | None, typer.Option("--baseline", min=10, help="So many first points are the baseline.")
    ] = None,
    *,
    output: Output,
) -> None:
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
        "target": float(target),
        "deviation": float(deviation),
        "shift_began": shift_began(found[-1]),
    }
    tables = {"signals": signals.fillna("")} | {one.kind: one.statistic for one in found}
    emit(Result(summary, tables, {"charts": charts(found, values)}), output, ("signals",))


@app.command()
@option_groups
def interlab(
    table: Table,
    assigned: Annotated[
        float | None, typer.Option("--assigned", help="Known content; by default the robust mean.")
    ] = None,
    assigned_error: Annotated[float, typer.Option("--assigned-error", min=0.0, help="Its standard uncertainty.")] = 0.0,
    deviation: Annotated[
        float | None, typer.Option("--deviation", help="Standard deviation for assessment; by default the robust one.")
    ] = None,
    *,
    output: Output,
) -> None:
    """Score laboratories on a blind sample (columns laboratory, value, and uncertainty where given)."""
    from hazecast.forecast.studies.quality.laboratory import interlaboratory
    from hazecast.forecast.studies.quality.plots import scores
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["laboratory"], ["value", "uncertainty?"])
    twice = data["laboratory"].duplicated()
    if twice.any():
        raise InputError(
            f"{table}, line {data.index[twice][0]}, column laboratory", data["laboratory"][twice].iloc[0], "each once"
        )
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
    emit(Result(summary, {"scores": found.table}, {"scores": scores(found)}), output, ("scores",))
