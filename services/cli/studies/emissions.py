"""``hazecast study flue-gas``, ``study low-dust``, ``study rata`` and ``study factory``: stacks and factories."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli.studies.options import Output, Table, option_groups
from hazecast.services.cli.studies.output import Result, emit

app = typer.Typer()
_UNITS = {"o2": "%", "moisture": "%", "velocity": "m s$^{-1}$", "temperature": "°C"}
_VALUES = ("concentration", "temperature", "pressure", "moisture", "oxygen")


@dataclass(frozen=True)
class Money:
    """Costs of a measure; payback is worked out where the investment is given."""

    investment: Annotated[
        float | None, typer.Option("--investment", help="At the beginning; without it, no payback.")
    ] = None
    running: Annotated[float, typer.Option("--running", help="More cost a year.")] = 0.0
    saved: Annotated[float, typer.Option("--saved", help="Material and energy saved a year.")] = 0.0
    charge: Annotated[float, typer.Option("--charge", help="Tax or price for each kg emitted.")] = 0.0
    life: Annotated[float, typer.Option("--life", help="Years.")] = 10.0
    interest: Annotated[float, typer.Option("--interest", help="A year, share of 1.")] = 0.05


@app.command()
@option_groups
def flue_gas(
    table: Table,
    oxygen: Annotated[float, typer.Option("--oxygen", help="Reference oxygen, %: 6 for coal-fired power stations.")],
    *,
    output: Output,
) -> None:
    """Flue gas at the reference state (columns reading, concentration, temperature, pressure, moisture, oxygen; u_...)."""
    from hazecast.forecast.studies.emissions import plots
    from hazecast.forecast.studies.emissions.flue_gas import corrected
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["reading"], [*_VALUES, *(f"u_{name}?" for name in _VALUES)]).set_index("reading")
    found = corrected(data, reference_oxygen=oxygen)
    summary = {"readings": len(found), "reference_oxygen": oxygen}
    emit(Result(summary, {"dry_gas": found}, {"readings": plots.flue_gas(found)}), output, ("dry_gas",))


@app.command()
@option_groups
def low_dust(
    table: Table,
    blank: Annotated[float, typer.Option("--blank", help="Gain of the blank of the whole procedure, mg.")],
    limit: Annotated[float, typer.Option("--limit", help="Emission limit, mg m-3.")],
    *,
    output: Output,
) -> None:
    """Particles at low concentration by weighing, HJ 836-2017 (columns sample, mass in mg, volume in m3)."""
    from hazecast.forecast.studies.emissions.flue_gas import gravimetric
    from hazecast.grids.observations.sample_tables import read_labelled

    found = gravimetric(read_labelled(table, ["sample"], ["mass", "volume"]).set_index("sample"), blank, limit)
    summary = {
        "mean": found.mean,
        "blank": found.blank,
        "blank_fits": found.blank_fits,
        "not_valid": [str(name) for name in found.table.index[~found.table["valid"]]],
    }
    emit(Result(summary, {"samples": found.table}), output, ("samples",))


@app.command()
@option_groups
def rata(
    table: Table,
    quantity: Annotated[str, typer.Option("--quantity", help="so2, nox, pm, o2, velocity, moisture or temperature.")],
    *,
    output: Output,
) -> None:
    """Accuracy of a continuous emission monitor, HJ 75-2017 (columns pair, reference, monitor)."""
    from hazecast.forecast.studies.emissions.plots import monitor_against_reference
    from hazecast.forecast.studies.emissions.relative_accuracy import relative_accuracy
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["pair"], ["reference", "monitor"]).set_index("pair")
    found = relative_accuracy(data, quantity)
    figure = monitor_against_reference(data, found, _UNITS.get(quantity, "mg m$^{-3}$"))
    emit(Result(asdict(found), {"pairs_of_values": data}, {"differences": figure}), output)


@app.command()
@option_groups
def factory(
    before: Annotated[Path, typer.Argument(help="CSV file of the runs before (first column names the run).")],
    after: Annotated[Path, typer.Argument(help="CSV file of the runs after, named as their partners before.")],
    production: Annotated[float, typer.Option("--production", help="Product of a year, t.")],
    systematic: Annotated[
        float, typer.Option("--systematic", min=0.0, help="Relative standard uncertainty common to all runs.")
    ] = 0.0,
    *,
    money: Money,
    output: Output,
) -> None:
    """A factory before and after: emission per tonne, saving, payback (columns run, concentration, flow, product)."""
    from hazecast.forecast.studies.emissions.factory import Costs, factory_change, payback
    from hazecast.forecast.studies.emissions.plots import factory_runs
    from hazecast.grids.observations.sample_tables import read_labelled

    columns = ["concentration", "flow", "product"]
    runs = [read_labelled(path, ["run"], columns).set_index("run") for path in (before, after)]
    found = factory_change(*runs, output=production, systematic=systematic)
    costs = None
    if money.investment is not None:
        costs = Costs(money.investment, money.running, money.saved, money.charge, money.life, money.interest)
    paid = None if costs is None else payback(found.avoided, costs)
    summary = {key: value for key, value in asdict(found).items() if key != "table"} | (asdict(paid) if paid else {})
    summary["change_shown"] = not found.reduction.low <= 0 <= found.reduction.high
    summary |= {"pairs": found.runs}
    figures = {"before_and_after": factory_runs(found)}
    emit(Result(summary, {"pairs_of_runs": found.table}, figures), output, ("pairs_of_runs",))
