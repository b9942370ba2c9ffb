"""``hazecast study wind`` and ``study trajectories``: transport of pollution by the wind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import settings_of
from hazecast.services.cli.studies.options import Output, option_groups
from hazecast.services.cli.studies.output import Result, emit

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hazecast.forecast.studies.wind.roses import WindSample
    from hazecast.grids.places.cities import City

app = typer.Typer()

# Classes of the pollution rose, ug m-3.
_EDGES = [35.0, 75.0, 115.0, 150.0]


@app.command()
@option_groups
def wind(
    observations: Annotated[Path, typer.Option("--observations", help="Folder of a collection with weather.")],
    place: Annotated[str, typer.Option("--place", help="Station or city of the collection.")],
    pollutant: Annotated[str, typer.Option("--pollutant", help="pm25, o3, pm10, no2, so2 or co.")] = "pm25",
    percentile: Annotated[float, typer.Option("--percentile", help="From which a concentration is high.")] = 75.0,
    sectors: Annotated[int, typer.Option("--sectors", help="Number of wind sectors.")] = 16,
    *,
    output: Output,
) -> None:
    """Conditional probability by wind direction, pollution rose and bivariate polar plot of a place."""
    from hazecast.forecast.studies.wind.roses import conditional_probability, peak_of, polar_surface, wind_sample
    from hazecast.services.research.places import series_at

    series, air = series_at(observations, place, pollutant)
    sample = wind_sample(series, air["u10"], air["v10"])
    found = conditional_probability(sample, sectors=sectors, percentile=percentile)
    surface = polar_surface(sample)
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
    title = f"{place}, {pollutant}, {series['time'].values[0]:.10} to {series['time'].values[-1]:.10}"
    figures = _figures(sample, found, surface, sectors, title)
    emit(Result(summary, {"conditional_probability": table}, figures), output, ("conditional_probability",))


def _figures(sample: WindSample, found: xr.Dataset, surface: xr.Dataset, sectors: int, title: str) -> dict[str, Figure]:
    import numpy as np

    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.forecast.studies.wind.roses import pollution_rose

    shares = pollution_rose(sample, np.array(_EDGES), sectors=sectors)
    return {
        "conditional_probability": wind_plots.conditional(found, title),
        "pollution_rose": wind_plots.rose(shares, _EDGES, title),
        "polar": wind_plots.polar(surface, title),
    }


@dataclass(frozen=True)
class ArrivalOptions:
    """The trajectories."""

    start: Annotated[str, typer.Option("--from", help="First arrival, ISO 8601 with offset.")]
    end: Annotated[str, typer.Option("--to", help="Last arrival.")]
    every: Annotated[int, typer.Option("--every", help="Hours between arrivals.")] = 6
    hours: Annotated[float, typer.Option("--hours", help="How far back.")] = 72.0
    groups: Annotated[int | None, typer.Option("--groups", help="Number of clusters; by default found.")] = None


@dataclass(frozen=True)
class RegionOptions:
    """The source regions."""

    observations: Annotated[
        Path | None, typer.Option("--observations", help="Collection that holds the city: source regions are mapped.")
    ] = None
    pollutant: Annotated[str, typer.Option("--pollutant", help="Pollutant of the source regions.")] = "pm25"
    cell: Annotated[float, typer.Option("--cell", help="Cell of the source regions, degrees.")] = 0.5


@app.command()
@option_groups
def trajectories(
    weather: Annotated[Path, typer.Option("--weather", help="Gridded weather with wind: GRIB2 or NetCDF.")],
    city: Annotated[str, typer.Option("--city", help="City that the air arrives at.")],
    arrivals: ArrivalOptions,
    regions: RegionOptions,
    output: Output,
) -> None:
    """Back trajectories through gridded wind, their clusters, and source regions (PSCF, CWT)."""
    from hazecast.services.core.places import city_registry

    home = city_registry(settings_of(None)).city(city)
    when = _times(arrivals)
    paths = _paths(weather, home, when, arrivals.hours)
    result = _clustered(paths, city, arrivals)
    if regions.observations is not None:
        _add_regions(result, paths, when, home, regions.observations, regions)
    emit(result, output, ("members",))


def _times(arrivals: ArrivalOptions) -> NDArray[np.datetime64]:
    import numpy as np

    from hazecast.grids.errors import InputError

    first, last = _naive(arrivals.start, "--from"), _naive(arrivals.end, "--to")
    if not first <= last:
        raise InputError("--from, --to", f"{arrivals.start} to {arrivals.end}", "a first arrival not after the last")
    if arrivals.every < 1:
        raise InputError("--every", arrivals.every, "at least 1 h")
    return np.arange(first, last + np.timedelta64(1, "s"), np.timedelta64(arrivals.every, "h"))


def _paths(weather: Path, home: City, when: NDArray[np.datetime64], hours: float) -> xr.Dataset:
    """Return the back trajectories of the arrivals; raise InputError if fewer than two stay on the grid."""
    import numpy as np

    from hazecast.forecast.studies.wind.trajectories import trajectories as follow
    from hazecast.grids.errors import InputError
    from hazecast.grids.weather.files import read_weather

    n = len(when)
    paths = follow(
        read_weather(weather), np.full(n, home.latitude), np.full(n, home.longitude), when, hours=-abs(hours)
    )
    complete = _complete(paths)
    if complete < 2:
        raise InputError(
            str(weather),
            f"{complete} of {n} trajectories stay inside it",
            "a larger area, an earlier beginning or fewer --hours",
        )
    return paths


def _complete(paths: xr.Dataset) -> int:
    """Return the number of trajectories that stay on the grid."""
    return int(paths["latitude"].isel(age=-1).notnull().sum())


def _clustered(paths: xr.Dataset, city: str, arrivals: ArrivalOptions) -> Result:
    """Return the result with trajectories and clusters."""
    import pandas as pd

    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.forecast.studies.wind.trajectories import cluster

    n, hours = paths.sizes["parcel"], abs(arrivals.hours)
    labels = cluster(paths, groups=arrivals.groups, most=min(6, _complete(paths)))
    members = pd.Series(labels.values).value_counts().sort_index().rename_axis("cluster").to_frame("trajectories")
    return Result(
        {
            "city": city,
            "arrivals": n,
            "left_the_grid_early": paths.attrs["left_early"],
            "hours": -hours,
            "clusters": labels.attrs["groups"],
            "variance_explained": labels.attrs["explained"],
            "note": "wind at 10 m: directions, not distances, are to be trusted",
        },
        {"members": members, "trajectories": paths.to_dataframe().reset_index().set_index("parcel")},
        {"trajectories": wind_plots.paths_on_map(paths, labels, f"{city}, {n} arrivals, {hours:g} h back")},
    )


def _add_regions(
    result: Result,
    paths: xr.Dataset,
    when: NDArray[np.datetime64],
    home: City,
    observations: Path,
    regions: RegionOptions,
) -> None:
    """Add source regions by the concentrations observed at the arrivals."""
    import numpy as np

    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.forecast.studies.wind.receptor import source_regions
    from hazecast.services.research.places import series_at

    series, _ = series_at(observations, home.id, regions.pollutant)
    value = series.reindex(time=when).values
    day = (when.astype("datetime64[D]") - when[0].astype("datetime64[D]")).astype(np.int64)
    found = source_regions(paths, value, cell_degrees=regions.cell, day=day)
    result.tables["source_regions"] = found.to_dataframe().dropna(subset=["cwt"])
    result.summary["threshold_ug_m3"] = found.attrs["threshold"]
    title = f"{home.id}, {regions.pollutant}, {found.attrs['arrivals']} arrivals"
    for name in ("pscf", "cwt"):
        result.figures[name] = wind_plots.regions_on_map(found, name, title, (home.latitude, home.longitude))


def _naive(text: str, option: str) -> np.datetime64:
    from hazecast.grids.errors import InputError
    from hazecast.grids.times import to_datetime64

    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InputError(option, text, "an ISO 8601 time with its offset")
    return to_datetime64(time)
