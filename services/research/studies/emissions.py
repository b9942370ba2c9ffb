"""``hazecast study flue-gas``, ``study low-dust``, ``study rata`` and ``study factory``: stacks and factories."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from hazecast.services.research.studies.asking import OneTable, Option, Table, study
from hazecast.services.research.studies.result import Result

_UNITS = {"o2": "%", "moisture": "%", "velocity": "m s-1", "temperature": "degree_Celsius"}
_DRAWN = {"m s-1": "m s$^{-1}$", "mg m-3": "mg m$^{-3}$", "degree_Celsius": "°C"}
_VALUES = {"concentration": "mg m-3", "temperature": "degree_Celsius", "pressure": "Pa", "oxygen": "%"}
_WATER = {"moisture": "1", "oxygen_wet": "%"}
_RUN = {"concentration": "mg m-3", "flow": "m3 h-1", "product": "t h-1"}


@dataclass(frozen=True)
class Money:
    """Costs of a measure; payback is worked out where the investment is given."""

    investment: Annotated[float | None, Option("At the beginning; without it, no payback.")] = None
    running: Annotated[float, Option("More cost a year.")] = 0.0
    saved: Annotated[float, Option("Material and energy saved a year.")] = 0.0
    charge: Annotated[float, Option("Tax or price for each kg emitted.")] = 0.0
    life: Annotated[float, Option("Years.")] = 10.0
    interest: Annotated[float, Option("A year, share of 1.")] = 0.05


@study
def flue_gas(
    table: OneTable,
    oxygen: Annotated[float, Option("Reference oxygen, %: 6 for coal-fired power stations.")],
) -> Result:
    """Flue gas at the reference state (columns reading, concentration, temperature, pressure, oxygen, moisture or oxygen_wet; u_...)."""
    from hazecast.forecast.studies.emissions import plots
    from hazecast.forecast.studies.emissions.flue_gas import corrected
    from hazecast.grids.observations.sample_tables import read_labelled

    optional = [*_WATER, *(f"u_{name}" for name in (*_VALUES, *_WATER))]
    units = _VALUES | _WATER
    units |= {f"u_{name}": unit for name, unit in units.items()}
    columns = [*_VALUES, *(f"{name}?" for name in optional)]
    data = read_labelled(table, ["reading"], columns, units=units, once="reading").set_index("reading")
    found = corrected(data, reference_oxygen=oxygen)
    without = [name for name in (*_VALUES, *_WATER) if name in data and f"u_{name}" not in data]
    if not any(str(name).startswith("u_") for name in data):
        # That of nothing is not 0.
        found[["u_dry", "u_reference"]] = float("nan")
    summary = {"readings": len(found), "reference_oxygen": oxygen, "inputs_without_uncertainty": without}
    return Result(summary, {"dry_gas": found}, {"readings": plots.flue_gas(found)}, printed=("dry_gas",))


@study
def low_dust(
    table: OneTable,
    blank: Annotated[float, Option("Gain of the blank of the whole procedure, mg.")],
    limit: Annotated[float, Option("Emission limit, mg m-3.")],
) -> Result:
    """Particles at low concentration by weighing, HJ 836-2017 (columns sample, mass in mg, volume in m3)."""
    from hazecast.forecast.studies.emissions.flue_gas import gravimetric
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["sample"], ["mass", "volume"], units={"mass": "mg", "volume": "m3"}, once="sample")
    found = gravimetric(data.set_index("sample"), blank, limit)
    summary = {
        "mean": found.mean,
        "blank": found.blank,
        "blank_fits": found.blank_fits,
        "not_valid": [str(name) for name in found.table.index[~found.table["valid"]]],
    }
    return Result(summary, {"samples": found.table}, printed=("samples",))


@study
def rata(
    table: OneTable,
    quantity: Annotated[str, Option("so2, nox, pm, o2, velocity, moisture or temperature.")],
) -> Result:
    """Accuracy of a continuous emission monitor, HJ 75-2017 (columns pair, reference, monitor)."""
    from hazecast.forecast.studies.emissions.plots import monitor_against_reference
    from hazecast.forecast.studies.emissions.relative_accuracy import relative_accuracy
    from hazecast.grids.observations.sample_tables import read_labelled

    unit = _UNITS.get(quantity, "mg m-3")
    units = {"reference": unit, "monitor": unit}
    data = read_labelled(table, ["pair"], list(units), units=units, once="pair").set_index("pair")
    found = relative_accuracy(data, quantity)
    figure = monitor_against_reference(data, found, _DRAWN.get(unit, unit))
    return Result(asdict(found), {"pairs_of_values": data}, {"differences": figure})


@study
def factory(
    before: Annotated[Path, Table("CSV file of the runs before (first column names the run).")],
    after: Annotated[Path, Table("CSV file of the runs after, named as their partners before.")],
    production: Annotated[float, Option("Product of a year, t.")],
    systematic: Annotated[
        float, Option("Relative standard uncertainty common to all runs, share of 1.", least=0.0, most=1.0)
    ] = 0.0,
    *,
    money: Money,
) -> Result:
    """A factory before and after: emission per tonne, saving, payback (columns run, concentration, flow, product)."""
    from hazecast.forecast.studies.emissions.factory import Costs, factory_change, payback
    from hazecast.forecast.studies.emissions.plots import factory_runs
    from hazecast.grids.observations.sample_tables import read_labelled

    runs = [
        read_labelled(path, ["run"], list(_RUN), units=_RUN, once="run").set_index("run") for path in (before, after)
    ]
    found = factory_change(*runs, output=production, systematic=systematic)
    costs = None
    if money.investment is not None:
        costs = Costs(money.investment, money.running, money.saved, money.charge, money.life, money.interest)
    paid = None if costs is None else payback(found.avoided, costs)
    summary = {key: value for key, value in asdict(found).items() if key != "table"} | (asdict(paid) if paid else {})
    summary["change_shown"] = not found.reduction.low <= 0 <= found.reduction.high
    summary |= {"pairs": found.runs}
    figures = {"before_and_after": factory_runs(found)}
    return Result(summary, {"pairs_of_runs": found.table}, figures, printed=("pairs_of_runs",))
