"""``hazecast study intervention``, ``study intervention-check`` and ``study trend``: did a measure work."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.studies.output import AsJson, Out, emit

if TYPE_CHECKING:
    import pandas as pd

Observations = Annotated[Path, typer.Option("--observations", help="Folder of a collection with weather.")]
Place = Annotated[str, typer.Option("--place", help="Station or city of the collection.")]
Pollutant = Annotated[str, typer.Option("--pollutant", help="pm25, o3, pm10, no2, so2 or co.")]
Donors = Annotated[list[str] | None, typer.Option("--donor", help="Place without the measure; may be repeated.")]
Level = Annotated[float, typer.Option("--level", help="Nominal rate of the intervals.")]
Timezone = Annotated[str, typer.Option("--timezone", help="Time zone of the place's days.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command()(intervention)
    app.command(name="intervention-check")(intervention_check)
    app.command()(trend)


def intervention(
    observations: Observations,
    place: Place,
    first: Annotated[str, typer.Option("--from", help="First day of the measure, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last day of the measure.")],
    pollutant: Pollutant = "pm25",
    donor: Donors = None,
    level: Level = 0.9,
    timezone: Timezone = "Asia/Shanghai",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Change in a window of days against weather, neighbouring days and other places, with placebos."""
    import pandas as pd

    from hazecast.forecast.studies.measures import plots as measures_plots
    from hazecast.forecast.studies.measures.intervention import assess, in_space

    start, end = _day(first, "--from"), _day(last, "--to")
    length = (end - start).days + 1
    table, others = _tables(observations, place, donor, pollutant, timezone)
    effects, course, weights = assess(table, start, length, donors=others, level=level)
    tables = {"effects": _rows(effects), "course": course.rename_axis("day")}
    shown = ["effects"]
    if others is not None:
        tables["weights"] = weights.rename_axis("donor").to_frame("weight")
        shown.append("weights")
        if others.shape[1] > 1:
            tables["placebo_in_space"] = _rows(in_space(others, start, length, level=level))
            shown.append("placebo_in_space")
    tables["placebos"] = pd.DataFrame({name: one.placebos for name, one in effects.items()})
    summary = {
        "place": place,
        "pollutant": pollutant,
        "first_day": first,
        "last_day": last,
        "days": length,
        "level": level,
    }
    figure = measures_plots.course(course, effects, start, length, f"{place}, {pollutant}, {first} to {last}")
    emit(summary, tables, {"course": figure}, as_json=as_json, out=out, shown=tuple(shown))


def intervention_check(
    observations: Observations,
    place: Place,
    days: Annotated[int, typer.Option("--days", help="Length of the windows.")] = 10,
    placements: Annotated[int, typer.Option("--placements", help="Windows that cuts are put into.")] = 40,
    pollutant: Pollutant = "pm25",
    donor: Donors = None,
    level: Level = 0.9,
    timezone: Timezone = "Asia/Shanghai",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Put cuts of 10, 20 and 30 % into a real series and count how often the interval holds them."""
    from hazecast.forecast.studies.measures.intervention import recovery
    from hazecast.grids.errors import InputError

    if days < 1 or placements < 1:
        raise InputError("--days, --placements", f"{days}, {placements}", "at least 1")
    table, others = _tables(observations, place, donor, pollutant, timezone)
    found = recovery(table, days, placements=placements, donors=others, level=level)
    rates = found.assign(width=found["high"] - found["low"]).groupby(["method", "cut"])
    rate = rates[["change", "width", "covered", "detected"]].mean()
    summary = {"place": place, "pollutant": pollutant, "days": days, "placements": placements, "nominal_level": level}
    emit(summary, {"rates": rate, "placements": found}, {}, as_json=as_json, out=out, shown=("rates",))


def trend(
    observations: Observations,
    place: Place,
    pollutant: Pollutant = "pm25",
    level: Level = 0.9,
    resamples: Annotated[int, typer.Option("--resamples", help="Resampled series for the intervals.")] = 200,
    draws: Annotated[int, typer.Option("--draws", help="Draws of weather a day for the normalised series.")] = 50,
    timezone: Timezone = "Asia/Shanghai",
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Trend and change-point, as observed and with the weather taken out."""
    import pandas as pd

    from hazecast.forecast.studies.measures import plots as measures_plots
    from hazecast.forecast.studies.measures.changes import change_point, weekly
    from hazecast.forecast.studies.measures.changes import trend as trend_of
    from hazecast.forecast.studies.measures.deweather import adjusted, normalised
    from hazecast.grids.errors import InputError
    from hazecast.grids.extras import requires

    requires("ruptures", "studies")
    if resamples < 20:
        raise InputError("--resamples", resamples, "at least 20")
    if not 0.5 <= level < 1:
        raise InputError("--level", level, "from 0.5 to below 1, such as 0.9")
    table, _ = _tables(observations, place, None, pollutant, timezone)
    series = pd.DataFrame(
        {
            "concentration": table["concentration"],
            "adjusted": adjusted(table),
            "normalised": normalised(table, draws=draws),
        }
    )
    weeks = {"observed": weekly(series["concentration"]), "adjusted": weekly(series["adjusted"])}
    trends = {name: asdict(trend_of(one, level=level, resamples=resamples)) for name, one in weeks.items()}
    steps = {name: change_point(one, level=level, resamples=resamples) for name, one in weeks.items()}
    tables = {
        "trend": pd.DataFrame(trends).T.rename_axis("series"),
        "change_point": pd.DataFrame({name: asdict(one) for name, one in steps.items()}).T.rename_axis("series"),
        "series": series,
    }
    figure = measures_plots.trend(series, steps["adjusted"], f"{place}, {pollutant}")
    summary = {
        "place": place,
        "pollutant": pollutant,
        "days": int(table["concentration"].notna().sum()),
        "level": level,
    }
    emit(summary, tables, {"trend": figure}, as_json=as_json, out=out, shown=("trend", "change_point"))


def _tables(
    folder: Path, place: str, donors: list[str] | None, pollutant: str, timezone: str
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    import pandas as pd

    from hazecast.forecast.studies.measures.deweather import daily_table
    from hazecast.grids.errors import InputError
    from hazecast.services.research.places import series_at

    names = list(dict.fromkeys(donors or ()))
    if place in names:
        raise InputError("--donor", place, "a place other than the studied one")
    tables = {name: daily_table(*series_at(folder, name, pollutant), timezone) for name in (place, *names)}
    others = pd.DataFrame({name: tables[name]["concentration"] for name in names}) if names else None
    return tables[place], others


def _rows(effects: dict) -> pd.DataFrame:  # type: ignore[type-arg]
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
