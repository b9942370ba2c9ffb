"""``hazecast study oxidation``, ``secondary-carbon``, ``elements``, ``exhaust-metals`` and ``bags``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from hazecast.services.research.studies.asking import OneTable, Option, Table, study
from hazecast.services.research.studies.result import Result

_FILTER_COLUMNS = {"filter", "start", "end"}
_DILUTED = {"co2_mixture": "ppm", "co2_air": "ppm", "volume": "m3"}


@study
def oxidation(table: OneTable) -> Result:
    """Oxidation ratios of sulfur and nitrogen (columns so4 and so2, no3 and no2, ug m-3)."""
    from hazecast.forecast.studies.particles.composition_plots import oxidation as draw
    from hazecast.forecast.studies.particles.secondary import oxidation_ratios
    from hazecast.grids.observations.sample_tables import read_samples

    found = oxidation_ratios(read_samples(table, unit="ug m-3"))
    summary: dict[str, object] = {"samples": len(found)}
    for name in found:
        summary |= {f"{name}_samples": int(found[name].notna().sum()), f"{name}_median": float(found[name].median())}
    return Result(summary, {"ratios": found}, {"ratios": draw(found)})


@study
def secondary_carbon(
    table: OneTable,
    block: Annotated[
        int, Option("Samples left out together for the interval: 24 or more for hourly values.", least=1)
    ] = 1,
) -> Result:
    """Secondary organic carbon by the EC tracer with minimum R squared (columns oc and ec)."""
    from hazecast.forecast.studies.particles.composition_plots import primary_ratio
    from hazecast.forecast.studies.particles.secondary import secondary_carbon as estimate
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_samples

    data = read_samples(table, alike=[("oc", "ec")])
    for name in ("oc", "ec"):
        if name not in data:
            raise InputError(f"{table}: columns", list(data.columns), "oc and ec")
    found = estimate(data["oc"], data["ec"], block=block)
    summary = asdict(found)
    secondary = summary.pop("secondary").to_frame("secondary_oc")
    figures = {"primary_ratio": primary_ratio(data["oc"], data["ec"], found)}
    return Result(
        {"samples": len(secondary), "samples_left_out": len(data) - len(secondary)} | summary,
        {"secondary": secondary},
        figures,
    )


@study
def elements(
    hourly: Annotated[Path, Table("CSV file of XRF: time (end of the hour, ISO 8601 with offset), elements.")],
    filters: Annotated[Path, Table("CSV file: filter, start, end (ISO 8601 with offset), elements.")],
    limits: Annotated[Path, Table("CSV file: element, filter, xrf (detection limits).", by_option=True)],
    relative_filter: Annotated[
        float, Option("Relative standard uncertainty of filters, share of 1.", least=0.0, most=1.0)
    ] = 0.10,
    relative_xrf: Annotated[float, Option("That of the XRF.", least=0.0, most=1.0)] = 0.10,
) -> Result:
    """Compare hourly XRF with filters, element by element (York's line, detection limits)."""

    from hazecast.forecast.studies.quality.elements import compare_elements, filter_means
    from hazecast.forecast.studies.quality.laboratory_plots import element_lines
    from hazecast.grids.observations.sample_tables import column_names, read_labelled, read_samples
    from hazecast.services.research.filter_tables import read_filters

    hours = read_samples(hourly, times=True, offset=True, one_unit=True)
    periods, data = read_filters(filters, list(hours.columns))
    means, counts = filter_means(hours, periods)
    given = read_labelled(limits, ["element"], ["filter", "xrf"], alike=[("filter", "xrf")], once="element").set_index(
        "element"
    )
    found = compare_elements(data, means, counts, given, relative=(relative_filter, relative_xrf))
    summary = {
        "filters": len(data),
        "elements": len(found),
        "not_compared": sorted(({*hours.columns, *column_names(filters)} - _FILTER_COLUMNS) - {*found.index}),
        "differ": [str(name) for name in found.index[found["verdict"] == "differs"]],
        "too_few": [str(name) for name in found.index[found["verdict"] == "too few"]],
    }
    figures = {"lines": element_lines(data, means, found)}
    return Result(summary, {"elements": found, "xrf_means": means}, figures, printed=("elements",))


@study
def exhaust_metals(
    runs: Annotated[Path, Table("CSV file: run, co2_mixture, co2_air (ppm), volume (m3), more gases.")],
    masses: Annotated[Path, Table("CSV file: run, then ng a filter, a column a metal.")],
    blanks: Annotated[Path, Table("CSV file: field blanks, ng a filter.", by_option=True)],
    fuel_carbon: Annotated[float, Option("Mass share of carbon in the fuel.")],
) -> Result:
    """Emission factors of metals in diluted exhaust, ug a kg of fuel, by carbon balance."""
    from hazecast.forecast.studies.particles.composition_plots import emission_factors
    from hazecast.forecast.studies.particles.dilution import exhaust_factors
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_samples

    given = read_samples(runs, units=_DILUTED)
    for name in ("co2_mixture", "co2_air", "volume"):
        if name not in given:
            raise InputError(f"{runs}: columns", list(given.columns), f"also {name}")
    found = exhaust_factors(
        given, read_samples(masses, unit="ng"), read_samples(blanks, unit="ng"), fuel_carbon=fuel_carbon
    )
    summary = {"runs": len(found.runs), "units": "factors ug a kg of fuel; blank and limit ng a filter"}
    figures = {"factors": emission_factors(found.factors)}
    return Result(summary, {"factors": found.factors, "runs": found.runs}, figures, printed=("factors",))


@study
def bags(
    table: OneTable,
    least: Annotated[float, Option("Recovery a stored sample must still have, share of 1.")] = 0.80,
) -> Result:
    """Recovery and storage of compounds in sampling bags (columns compound, hours, recovery)."""
    import pandas as pd

    from hazecast.forecast.studies.quality.bags import bag_stability
    from hazecast.forecast.studies.quality.laboratory_plots import bag_recoveries
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["compound"], ["hours", "recovery"], units={"hours": "h", "recovery": "1"})
    data["recovery"] = data["recovery"].astype(float)
    each = {
        str(name): bag_stability(part["hours"], part["recovery"], least=least)
        for name, part in data.groupby("compound", sort=False)
    }
    rows = {name: asdict(one) for name, one in each.items()}
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("compound")
    figures = {"recoveries": bag_recoveries(data, each, least)}
    return Result({"compounds": len(found), "least_recovery": least}, {"bags": found}, figures, printed=("bags",))
