"""``hazecast study intervention``, ``study intervention-check`` and ``study trend``: effect of measures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hazecast.services.research.studies.asking import Local, Observed, Option, command_study, study, tell
from hazecast.services.research.studies.observations import Observations
from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from hazecast.forecast.studies.measures.changes import Trend
    from hazecast.forecast.studies.measures.intervention import Effect
    from hazecast.forecast.studies.measures.steps import Steps

Place = Annotated[str, Option("Station or city of the collection.")]
Pollutant = Annotated[str, Option("pm25, o3, pm10, no2, so2 or co.")]
Donors = Annotated[list[str] | None, Option("Place without the measure; may be repeated.")]
Level = Annotated[float, Option("Nominal rate of the intervals.")]
Reports = Annotated[
    Path | None,
    Local("Weather station's files (NOAA ISD), where the collection has none."),
]
Timezone = Annotated[str, Option("Time zone of the place's days.")]


@study
def intervention(
    observations: Annotated[Observations, Observed("Of the place and its donors, with wind.")],
    place: Place,
    first: Annotated[str, Option("First day of the measure, YYYY-MM-DD.", named="from")],
    last: Annotated[str, Option("Last day of the measure.", named="to")],
    pollutant: Pollutant = "pm25",
    donor: Donors = None,
    level: Level = 0.9,
    timezone: Timezone = "Asia/Shanghai",
) -> Result:
    """Change in a window of days against weather, neighbouring days and other places, with placebos."""
    import pandas as pd

    from hazecast.forecast.studies.measures import plots as measures_plots
    from hazecast.forecast.studies.measures.intervention import assess, placebo_in_space

    start, end = _day(first, "--from"), _day(last, "--to")
    length = (end - start).days + 1
    table, others = _tables(observations, place, donor, pollutant, timezone)
    effects, course, weights = assess(table, start, length, donors=others, level=level)
    printed = {"effects": _rows(effects)}
    if others is not None:
        printed["weights"] = weights.rename_axis("donor").to_frame("weight")
        if others.shape[1] > 1:
            printed["placebo_in_space"] = _rows(placebo_in_space(others, start, length, level=level))
    placebos = pd.DataFrame({name: one.placebos for name, one in effects.items()})
    tables = printed | {"course": course.rename_axis("day"), "placebos": placebos}
    summary = {
        "place": place,
        "pollutant": pollutant,
        "first_day": first,
        "last_day": last,
        "days": length,
        "level": level,
    }
    figure = measures_plots.course(course, effects, start, length, f"{place}, {pollutant}, {first} to {last}")
    return Result(summary, tables, {"course": figure}, printed=tuple(printed))


@command_study
def intervention_check(
    observations: Annotated[Observations, Observed("Of the place and its donors, with wind.")],
    place: Place,
    days: Annotated[int, Option("Length of the windows.")] = 10,
    placements: Annotated[int, Option("Windows that cuts are put into.")] = 40,
    pollutant: Pollutant = "pm25",
    donor: Donors = None,
    level: Level = 0.9,
    timezone: Timezone = "Asia/Shanghai",
) -> Result:
    """Impose cuts of 10, 20 and 30 % on a real series and count how often the interval contains them."""
    from hazecast.forecast.studies.measures.intervention import recover_known_cuts
    from hazecast.grids.errors import InputError

    if days < 1 or placements < 1:
        raise InputError("--days, --placements", f"{days}, {placements}", "at least 1")
    table, others = _tables(observations, place, donor, pollutant, timezone)
    found = recover_known_cuts(table, days, placements=placements, donors=others, level=level)
    rates = found.assign(width=found["high"] - found["low"]).groupby(["method", "cut"])
    rate = rates[["change", "width", "covered", "detected"]].mean()
    summary = {"place": place, "pollutant": pollutant, "days": days, "placements": placements, "nominal_level": level}
    return Result(summary, {"rates": rate, "placements": found}, printed=("rates",))


@study
def trend(
    observations: Annotated[Observations, Observed("Of the place and its donors, with wind.")],
    place: Place,
    pollutant: Pollutant = "pm25",
    level: Level = 0.9,
    draws: Annotated[int, Option("Draws of weather a day for the normalised series.")] = 50,
    timezone: Timezone = "Asia/Shanghai",
    weather_reports: Reports = None,
) -> Result:
    """Trend by several designs, and steps, as observed and with the weather removed."""
    from hazecast.forecast.studies.measures import plots as measures_plots
    from hazecast.forecast.studies.measures.changes import weekly
    from hazecast.forecast.studies.measures.designs import trends_by_design
    from hazecast.forecast.studies.measures.steps import find_steps
    from hazecast.grids.errors import InputError
    from hazecast.grids.extras import requires

    requires("ruptures", "studies")
    if not 0.5 <= level < 1:
        raise InputError("--level", level, "from 0.5 to below 1, such as 0.9")
    table, _ = _tables(observations, place, None, pollutant, timezone, weather_reports)
    tell("trends by design")
    trends, series = trends_by_design(table, level=level, draws=draws)
    tell("search for steps")
    steps = {name: find_steps(weekly(series[name]), level=level) for name in ("observed", "blocks")}
    figure = measures_plots.trend(series, steps["blocks"], f"{place}, {pollutant}")
    by_weather = [one.per_year for name, one in trends.items() if name != "observed"]
    summary = {
        "place": place,
        "pollutant": pollutant,
        "days": int(series["observed"].notna().sum()),
        "days_without_weather": int((table["concentration"].notna() & table["speed"].isna()).sum()),
        "level": level,
        "per_year_by_designs": [min(by_weather), max(by_weather)],
    }
    tables = {"trend": _trends(trends), "search": _search(steps), "steps": _step_rows(steps), "series": series}
    shown = ("trend", "search", "steps") if any(one.steps for one in steps.values()) else ("trend", "search")
    return Result(summary, tables, {"trend": figure}, printed=shown)


def _trends(found: Mapping[str, Trend]) -> pd.DataFrame:
    import pandas as pd

    from hazecast.forecast.studies.measures.designs import DESIGNS

    rows = {name: {"what": DESIGNS[name]} | asdict(one) for name, one in found.items()}
    return pd.DataFrame(rows).T.rename_axis("design")


def _search(found: Mapping[str, Steps]) -> pd.DataFrame:
    import pandas as pd

    rows = {name: asdict(one) | {"steps": len(one.steps)} for name, one in found.items()}
    return pd.DataFrame(rows).T.rename_axis("series")


def _step_rows(found: Mapping[str, Steps]) -> pd.DataFrame:
    import pandas as pd

    rows = [{"series": name} | asdict(step) for name, one in found.items() for step in one.steps]
    columns = ["series", "date", "earliest", "latest", "change", "low", "high"]
    return pd.DataFrame(rows, columns=columns).set_index("series")


def _tables(
    observations: Observations,
    place: str,
    donors: list[str] | None,
    pollutant: str,
    timezone: str,
    reports: Path | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    import pandas as pd

    from hazecast.forecast.studies.measures.deweather import daily_table
    from hazecast.grids.errors import InputError

    names = list(dict.fromkeys(donors or ()))
    if place in names:
        raise InputError("--donor", place, "a place other than the studied one")
    tables = {name: daily_table(*observations.series(name, pollutant, reports), timezone) for name in (place, *names)}
    others = pd.DataFrame({name: tables[name]["concentration"] for name in names}) if names else None
    return tables[place], others


def _rows(effects: Mapping[str, Effect]) -> pd.DataFrame:
    import pandas as pd

    rows = {name: asdict(one) | {"placebos": len(one.placebos)} for name, one in effects.items()}
    return pd.DataFrame(rows).T.drop(columns="level").rename_axis("method")


def _day(text: str, option: str) -> pd.Timestamp:
    import pandas as pd

    from hazecast.grids.errors import InputError

    try:
        return pd.Timestamp(pd.to_datetime(text, format="%Y-%m-%d"))
    except ValueError:
        raise InputError(option, text, "a day such as 2014-11-03") from None
