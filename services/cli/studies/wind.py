"""``hazecast study wind`` and ``study trajectories``: where the wind brings pollution from."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli.studies.output import AsJson, Out, emit

_EDGES = [35.0, 75.0, 115.0, 150.0]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command()(wind)
    app.command()(trajectories)


def wind(
    observations: Annotated[Path, typer.Option("--observations", help="Folder of a collection with weather.")],
    place: Annotated[str, typer.Option("--place", help="Station or city of the collection.")],
    pollutant: Annotated[str, typer.Option("--pollutant", help="pm25, o3, pm10, no2, so2 or co.")] = "pm25",
    percentile: Annotated[float, typer.Option("--percentile", help="From which a concentration is high.")] = 75.0,
    sectors: Annotated[int, typer.Option("--sectors", help="Wind directions told apart.")] = 16,
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Conditional probability by wind direction, pollution rose and bivariate polar plot of a place."""
    import numpy as np

    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.forecast.studies.wind.roses import (
        conditional_probability,
        peak_of,
        polar_surface,
        pollution_rose,
        wind_sample,
    )
    from hazecast.services.research.places import series_at

    series, air = series_at(observations, place, pollutant)
    sample = wind_sample(series, air["u10"], air["v10"])
    found = conditional_probability(sample, sectors=sectors, percentile=percentile)
    surface = polar_surface(sample)
    shares = pollution_rose(sample, np.array(_EDGES), sectors=sectors)
    title = f"{place}, {pollutant}, {series['time'].values[0]:.10} to {series['time'].values[-1]:.10}"
    where, speed, value = peak_of(surface)
    summary = {
        "place": place,
        "pollutant": pollutant,
        "hours": len(sample.concentration),
        "hours_left_out": sample.left_out,
        "calm_hours": found.attrs["calm_hours"],
        "threshold_ug_m3": found.attrs["threshold"],
        "probability_all_winds": found.attrs["overall"],
        "polar_peak_direction_degrees": where,
        "polar_peak_speed_m_s": speed,
        "polar_peak_ug_m3": value,
    }
    table = found.to_dataframe().reset_index(drop=True).set_index("origin")
    figures = {
        "conditional_probability": wind_plots.conditional(found, title),
        "pollution_rose": wind_plots.rose(shares, _EDGES, title),
        "polar": wind_plots.polar(surface, title),
    }
    emit(
        summary,
        {"conditional_probability": table},
        figures,
        as_json=as_json,
        out=out,
        shown=("conditional_probability",),
    )


def trajectories(
    weather: Annotated[Path, typer.Option("--weather", help="Gridded weather with wind: GRIB2 or NetCDF.")],
    city: Annotated[str, typer.Option("--city", help="City that the air arrives at.")],
    start: Annotated[str, typer.Option("--from", help="First arrival, ISO 8601 with offset.")],
    end: Annotated[str, typer.Option("--to", help="Last arrival.")],
    every: Annotated[int, typer.Option("--every", help="Hours between arrivals.")] = 6,
    hours: Annotated[float, typer.Option("--hours", help="How far back.")] = 72.0,
    groups: Annotated[int | None, typer.Option("--groups", help="Number of clusters; by default found.")] = None,
    observations: Annotated[
        Path | None, typer.Option("--observations", help="Collection that holds the city: source regions are mapped.")
    ] = None,
    pollutant: Annotated[str, typer.Option("--pollutant", help="Pollutant of the source regions.")] = "pm25",
    cell: Annotated[float, typer.Option("--cell", help="Cell of the source regions, degrees.")] = 0.5,
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Back trajectories through gridded wind, their clusters, and source regions (PSCF, CWT)."""
    import numpy as np
    import pandas as pd

    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.forecast.studies.wind import trajectories as paths_module
    from hazecast.forecast.studies.wind.receptor import source_regions
    from hazecast.grids.errors import InputError
    from hazecast.grids.places.cities import load_registry
    from hazecast.grids.weather.files import read_weather
    from hazecast.services.research.places import series_at

    home = load_registry().city(city)
    first, last = _naive(start, "--from"), _naive(end, "--to")
    if not first <= last:
        raise InputError("--from, --to", f"{start} to {end}", "a first arrival not after the last")
    if every < 1:
        raise InputError("--every", every, "at least 1 h")
    when = np.arange(first, last + np.timedelta64(1, "s"), np.timedelta64(every, "h"))
    n = len(when)
    paths = paths_module.trajectories(
        read_weather(weather), np.full(n, home.latitude), np.full(n, home.longitude), when, hours=-abs(hours)
    )
    whole = int(np.isfinite(paths["latitude"].values[:, -1]).sum())
    if whole < 2:
        raise InputError(
            str(weather),
            f"{whole} of {n} trajectories stay inside it",
            "a larger area, an earlier beginning or fewer --hours",
        )
    labels = paths_module.cluster(paths, groups=groups, most=min(6, whole))
    summary = {
        "city": city, "arrivals": n, "left_the_grid_early": paths.attrs["left_early"], "hours": -abs(hours),
        "clusters": labels.attrs["groups"], "variance_explained": labels.attrs["explained"],
        "note": "wind at 10 m: directions, not distances, are to be trusted",
    }  # fmt: skip
    members = pd.Series(labels.values).value_counts().sort_index().rename_axis("cluster").to_frame("trajectories")
    points = paths.to_dataframe().reset_index().set_index("parcel")
    tables = {"members": members, "trajectories": points}
    figures = {"trajectories": wind_plots.paths_on_map(paths, labels, f"{city}, {n} arrivals, {abs(hours):g} h back")}
    if observations is not None:
        series, _ = series_at(observations, city, pollutant)
        value = series.reindex(time=when).values
        day = (when.astype("datetime64[D]") - when[0].astype("datetime64[D]")).astype(np.int64)
        found = source_regions(paths, value, cell_degrees=cell, day=day)
        tables["source_regions"] = found.to_dataframe().dropna(subset=["cwt"])
        summary["threshold_ug_m3"] = found.attrs["threshold"]
        for name in ("pscf", "cwt"):
            figures[name] = wind_plots.regions_on_map(
                found, name, f"{city}, {pollutant}, {found.attrs['arrivals']} arrivals", (home.latitude, home.longitude)
            )
    emit(summary, tables, figures, as_json=as_json, out=out, shown=("members",))


def _naive(text: str, option: str):  # type: ignore[no-untyped-def]
    from hazecast.grids.errors import InputError
    from hazecast.grids.times import to_datetime64

    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InputError(option, text, "an ISO 8601 time with its offset")
    return to_datetime64(time)
