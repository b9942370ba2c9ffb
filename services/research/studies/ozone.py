"""``hazecast study ozone``, ``study voc`` and ``study ozone-regime``: ozone formation."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated

from hazecast.services.research.studies.asking import Observed, OneTable, Option, study
from hazecast.services.research.studies.observations import Observations
from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    import pandas as pd


@study
def ozone(
    observations: Annotated[Observations, Observed("Of the city.")],
    city: Annotated[str, Option("City of the collection.")],
    months: Annotated[str, Option("Months to use, such as 4-9; 1-12 for all.")] = "4-9",
    leave_out: Annotated[list[str] | None, Option("Day to leave out (holidays), YYYY-MM-DD; may be repeated.")] = None,
) -> Result:
    """Weekend effect of O3, NO2 and Ox, and ozone against temperature by NO2, from a collection."""
    import pandas as pd

    from hazecast.forecast.studies.ozone import plots as ozone_plots
    from hazecast.forecast.studies.ozone.days import daily_series
    from hazecast.forecast.studies.ozone.effects import as_table, weekday_effect

    registry = observations.registry
    registry.city(city)
    first, last = _months(months)
    days = [_day(text) for text in leave_out or ()]
    data = observations.cities([city])
    daily = daily_series(data.observations, data.weather, registry, city)
    month = pd.DatetimeIndex(daily.index).month
    chosen = daily[(month >= first) & (month <= last)]
    effects = {n: weekday_effect(chosen[n], leave_out=days) for n in ("o3", "no2", "ox") if n in chosen}
    result = Result(
        {
            "city": city,
            "months": f"{first} to {last}",
            "days": int(chosen["o3"].notna().sum()),
            "units": "o3 (highest 8 h mean) and no2 ug m-3, ox ppb; slopes ug m-3 a K",
        },
        {"days": daily, "weekend": as_table(effects)},
        {"weekdays": ozone_plots.weekdays(effects)},
    )
    if {"t_max", "no2"} <= set(chosen.columns):
        _add_temperature(chosen, result)
    result.printed = [name for name in ("weekend", "temperature") if name in result.tables]
    return result


def _add_temperature(days: pd.DataFrame, result: Result) -> None:
    """Add the response of ozone to temperature by terciles of NO2."""
    import pandas as pd

    from hazecast.forecast.studies.ozone import plots as ozone_plots
    from hazecast.forecast.studies.ozone.effects import temperature_response, terciles

    regimes = terciles(days["no2"])
    found = temperature_response(days["o3"], days["t_max"], regimes)
    rows = {name: asdict(one) | {f"slope_{k}": v for k, v in asdict(one.slope).items()} for name, one in found.items()}
    result.tables["temperature"] = pd.DataFrame(rows).T.drop(columns="slope").rename_axis("no2_tercile")
    result.figures["temperature"] = ozone_plots.temperature(days["o3"], days["t_max"], found, regimes)


@study
def voc(
    table: OneTable,
    units: Annotated[str, Option("ppb (of the compound) or ug m-3.")],
) -> Result:
    """Ozone formation potential (MIR) and OH reactivity of a table of VOC species."""
    from hazecast.forecast.studies.ozone.plots import voc_ranking
    from hazecast.forecast.studies.ozone.voc import reactivity
    from hazecast.grids.observations.sample_tables import read_samples

    found = reactivity(read_samples(table, unit=units), units)  # type: ignore[arg-type]
    ranking = found.ranking()
    groups = ranking.groupby("group")[["ppb", "ofp", "oh_reactivity"]].sum()
    summary = {
        "samples": len(found.ofp),
        "species": len(found.names),
        "columns_not_known": list(found.unknown),
        "species_without_rate_constant": list(found.without_rate),
        "species_with_estimated_rate_constant": list(found.estimated_rate),
        "species_without_mir": list(found.without_mir),
        "species_without_a_value": [
            str(name) for name in found.concentration if found.concentration[name].isna().all()
        ],
        "cells_missing": int(found.concentration.isna().to_numpy().sum()),
        # The sum of the means of species, as in the ranking: one that a sample lacks is not 0 in it.
        "ofp_ug_m3": float(ranking["ofp"].sum()),
        "oh_reactivity_per_s": float(ranking["oh_reactivity"].sum()),
    }
    tables = {"ranking": ranking, "groups": groups, "ofp": found.ofp, "oh_reactivity": found.oh_reactivity}
    return Result(summary, tables, {"ranking": voc_ranking(found)}, printed=("groups", "ranking"))


@study
def ozone_regime(table: OneTable) -> Result:
    """Classify from H2O2, HNO3, HCHO, NOy, NO2 and O3 whether ozone formation is limited by NOx or by VOC."""
    import pandas as pd

    from hazecast.forecast.studies.ozone.effects import INDICATORS, regimes
    from hazecast.grids.observations.sample_tables import read_samples

    found = regimes(read_samples(table, unit="ppb"))
    names = [one.name for one in INDICATORS if one.name in found]
    counts = pd.DataFrame({name: found[f"{name} regime"].value_counts() for name in names}).T
    counts = counts.reindex(columns=["VOC", "transition", "NOx"]).fillna(0).astype(int)
    counts["median"] = [float(found[name].median()) for name in names]
    counts.index.name = "indicator"
    summary = {
        "samples": len(found),
        **{
            one.name: f"VOC below {one.low}, NOx above {one.high}; {one.source}"
            for one in INDICATORS
            if one.name in names
        },
    }
    return Result(summary, {"regimes": found, "counts": counts}, printed=("counts",))


def _months(text: str) -> tuple[int, int]:
    from hazecast.grids.errors import InputError

    parts = text.split("-")
    if not 1 <= len(parts) <= 2 or not all(part.isdigit() and 1 <= int(part) <= 12 for part in parts):
        raise InputError("--months", text, "a month or a range within the year, such as 4-9")
    if int(parts[0]) > int(parts[-1]):
        raise InputError("--months", text, "a range within the year, such as 4-9")
    return int(parts[0]), int(parts[-1])


def _day(text: str) -> date:
    from hazecast.grids.errors import InputError

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError("--leave-out", text, "a day such as 2014-10-01") from None
