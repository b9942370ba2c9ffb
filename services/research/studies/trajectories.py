"""``hazecast study trajectories``: transport of pollution by the wind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hazecast.services.research.studies.asking import Local, Observed, Option, Table, Weather, aware_time, study
from hazecast.services.research.studies.gridded import MOST_BYTES, Gridded
from hazecast.services.research.studies.observations import Observations
from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from hazecast.grids.places.cities import City
    from hazecast.services.core.settings import Settings

_UG_M3 = "ug m-3"
# How far from the city trajectories of HYSPLIT may arrive; chosen, about the size of a large city.
_ARRIVES_KM = 100.0


@dataclass(frozen=True)
class ArrivalOptions:
    """The trajectories."""

    weather: Annotated[Gridded | None, Weather("Gridded weather with wind: GRIB2 or NetCDF.")] = None
    level: Annotated[
        float | None,
        Local("Follow its wind on this pressure level, hPa; by default that at 10 m."),
    ] = None
    endpoints: Annotated[Path | None, Local("HYSPLIT's files of endpoints (tdump), in place of --weather.")] = None
    start: Annotated[str | None, Option("First arrival, ISO 8601 with offset.", named="from")] = None
    end: Annotated[str | None, Option("Last arrival.", named="to")] = None
    every: Annotated[int | None, Option("Hours between arrivals; 6 if not given.", least=1, most=720)] = None
    hours: Annotated[float | None, Option("How far back; 72 if not given.")] = None
    groups: Annotated[int | None, Option("Number of clusters; by default found.")] = None


@dataclass(frozen=True)
class RegionOptions:
    """The source regions."""

    observations: Annotated[
        Observations | None, Observed("Collection that holds the city: source regions are mapped.")
    ] = None
    samples: Annotated[Path | None, Table("CSV of hourly samples, times with offset, in place of a collection.")] = None
    pollutant: Annotated[str, Option("Variable of the collection or column of the samples.")] = "pm25"
    unit: Annotated[str, Option("Unit of the samples.")] = _UG_M3
    cell: Annotated[float, Option("Cell of the source regions, degrees.")] = 0.5


@study
def trajectories(
    city: Annotated[str, Option("City that the air arrives at.")],
    arrivals: ArrivalOptions,
    regions: RegionOptions,
) -> Result:
    """Back trajectories through gridded wind or of HYSPLIT, their clusters, and source regions (PSCF, CWT)."""
    home = home_of(city, arrivals)
    paths, note = paths_to(home, arrivals)
    result = _clustered(paths, city, arrivals.groups, note)
    if regions.observations is not None or regions.samples is not None:
        _add_regions(result, paths, home, regions)
    result.printed = ("members",)
    return result


def home_of(city: str, arrivals: ArrivalOptions) -> City:
    """Return the city that the air arrives at.

    Parameters
    ----------
    city : str
    arrivals : ArrivalOptions

    Returns
    -------
    City
    """
    from hazecast.services.core.places import city_registry

    return city_registry(settings_of(arrivals)).city(city)


def settings_of(arrivals: ArrivalOptions) -> Settings:
    """Return the settings that name the cities."""
    from hazecast.services.core.settings import Settings

    return Settings() if arrivals.weather is None else arrivals.weather.settings


def paths_to(home: City, arrivals: ArrivalOptions) -> tuple[xr.Dataset, str]:
    """Return trajectories that arrive in a city, and what is to be known of them.

    Parameters
    ----------
    home : City
    arrivals : ArrivalOptions

    Returns
    -------
    xarray.Dataset (parcel, age)
        With the times of arrival, ``start``.
    str
    """
    return _of_hysplit(home, arrivals) if arrivals.endpoints is not None else _computed(home, arrivals)


def _of_hysplit(home: City, arrivals: ArrivalOptions) -> tuple[xr.Dataset, str]:
    """Return the trajectories of files of endpoints and what is to be known of them."""
    import numpy as np

    from hazecast.forecast.studies.wind.endpoints import read_endpoints
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.station_cities import great_circle_km

    names = ("weather", "level", "start", "end", "every", "hours")
    beside = [name for name in names if getattr(arrivals, name) is not None]
    if beside:
        raise InputError("--endpoints", f"beside {beside}", "no other, for the files say when and how far")
    assert arrivals.endpoints is not None
    paths = read_endpoints(arrivals.endpoints)
    if float(paths["age"].values[-1]) > 0:
        raise InputError(str(arrivals.endpoints), "forward trajectories", "backward ones, which arrive")
    away = great_circle_km(
        paths["latitude"].values[:, 0], paths["longitude"].values[:, 0], home.latitude, home.longitude
    )
    if float(np.max(away)) > _ARRIVES_KM:
        raise InputError(
            str(arrivals.endpoints), f"arrivals {np.max(away):.0f} km from {home.id}", f"at most {_ARRIVES_KM:g} km"
        )
    if _complete(paths) < 2:
        raise InputError(str(arrivals.endpoints), f"{_complete(paths)} of full length", "at least 2 trajectories")
    return paths, f"{paths.attrs['source']}: vertical motion is in them"


def _computed(home: City, arrivals: ArrivalOptions) -> tuple[xr.Dataset, str]:
    """Return the trajectories through gridded wind and what is to be known of them."""
    from hazecast.forecast.studies.wind.trajectories import LONGEST_HOURS
    from hazecast.grids.errors import InputError

    if arrivals.weather is None or arrivals.start is None or arrivals.end is None:
        raise InputError("--weather, --from, --to", "not all of them", "these three, or --endpoints")
    hours = 72.0 if arrivals.hours is None else abs(arrivals.hours)
    if not 0 < hours <= LONGEST_HOURS:
        raise InputError("--hours", arrivals.hours, f"not 0, at most {LONGEST_HOURS}")
    when = _times(arrivals.start, arrivals.end, 6 if arrivals.every is None else arrivals.every)
    # A latitude and a longitude for each half hour.
    most = int(MOST_BYTES / (2 * 8 * (2 * hours + 1)))
    if len(when) > most:
        raise InputError(
            "--from, --to, --every", f"{len(when)} arrivals", f"{most} at most, whose paths fit into memory"
        )
    paths = _paths(arrivals.weather, arrivals.level, home, when, hours).assign_coords(start=("parcel", when))
    if arrivals.level is None:
        return paths, "wind at 10 m: directions, not distances, are to be trusted"
    return paths, f"wind at {arrivals.level:g} hPa: paths keep that pressure"


def _times(start: str, end: str, every: int) -> NDArray[np.datetime64]:
    import numpy as np

    from hazecast.grids.errors import InputError

    # Three centuries of nanoseconds are more than numpy can count.
    first, last = (aware_time(*one).astype("datetime64[us]") for one in ((start, "--from"), (end, "--to")))
    if not first <= last:
        raise InputError("--from, --to", f"{start} to {end}", "a first arrival not after the last")
    return np.arange(first, last + np.timedelta64(1, "s"), np.timedelta64(every, "h")).astype("datetime64[ns]")


def _paths(weather: Gridded, level: float | None, home: City, when: NDArray[np.datetime64], hours: float) -> xr.Dataset:
    """Return the back trajectories of the arrivals; raise InputError if fewer than two stay on the grid."""
    import numpy as np

    from hazecast.forecast.studies.wind.trajectories import trajectories as follow
    from hazecast.grids.errors import InputError

    n = len(when)
    lats, lons = np.full(n, home.latitude), np.full(n, home.longitude)
    reach = np.timedelta64(math.ceil(hours) + 1, "h")
    grid, names = weather.wind(when[0] - reach, when[-1] + np.timedelta64(1, "h"), level)
    paths = follow(grid, lats, lons, when, hours=-hours, wind=names)
    complete = _complete(paths)
    if complete < 2:
        raise InputError(
            weather.name,
            f"{complete} of {n} trajectories stay inside it",
            "a larger area, an earlier beginning or fewer --hours",
        )
    return paths


def _complete(paths: xr.Dataset) -> int:
    """Return the number of trajectories that stay on the grid."""
    return int(paths["latitude"].isel(age=-1).notnull().sum())


def _clustered(paths: xr.Dataset, city: str, groups: int | None, note: str) -> Result:
    """Return the result with trajectories and clusters."""
    import pandas as pd

    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.forecast.studies.wind.trajectories import cluster

    n, hours = paths.sizes["parcel"], abs(float(paths["age"].values[-1]))
    labels = cluster(paths, groups=groups, most=min(6, _complete(paths)))
    members = pd.Series(labels.values).value_counts().sort_index().rename_axis("cluster").to_frame("trajectories")
    return Result(
        {
            "city": city,
            "arrivals": n,
            "left_the_grid_early": paths.attrs["left_early"],
            "hours": -hours,
            "clusters": labels.attrs["groups"],
            "variance_explained": labels.attrs["explained"],
            "note": note,
        },
        {"members": members, "trajectories": paths.to_dataframe().reset_index().set_index("parcel")},
        {"trajectories": wind_plots.paths_on_map(paths, labels, f"{city}, {n} arrivals, {hours:g} h back")},
    )


def regions_to(paths: xr.Dataset, concentration: NDArray[np.floating], cell: float) -> xr.Dataset:
    """Return source regions with their intervals.

    Parameters
    ----------
    paths : xarray.Dataset (parcel, age)
        As of `paths_to`.
    concentration : float (parcel,)
        At arrival.
    cell : float
        Degrees.

    Returns
    -------
    xarray.Dataset (latitude, longitude)
        As of `hazecast.forecast.studies.wind.receptor.source_regions`.
    """
    import numpy as np

    from hazecast.forecast.studies.wind.receptor import source_regions

    days = paths["start"].values.astype("datetime64[D]")
    return source_regions(paths, concentration, cell_degrees=cell, day=(days - days.min()).astype(np.int64))


def _add_regions(result: Result, paths: xr.Dataset, home: City, regions: RegionOptions) -> None:
    """Add source regions by the concentrations observed at the arrivals."""
    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.grids.errors import InputError
    from hazecast.services.research.species_wind import species_of

    if regions.samples is not None and regions.observations is not None:
        raise InputError("--observations, --samples", "both", "one of them")
    if regions.samples is not None:
        series, _ = species_of(regions.samples, regions.pollutant, regions.unit, offset=True)
    else:
        if regions.unit != _UG_M3:
            raise InputError("--unit", regions.unit, f"{_UG_M3}, which collections are in")
        assert regions.observations is not None
        series = regions.observations.concentrations(home.id, regions.pollutant)
    found = regions_to(paths, series.reindex(time=paths["start"].values).values, regions.cell)
    result.tables["source_regions"] = found.to_dataframe().dropna(subset=["cwt"])
    result.summary |= {
        "unit": regions.unit,
        "threshold": found.attrs["threshold"],
        "probability_all_arrivals": found.attrs["overall"],
        "arrivals_with_concentration": found.attrs["arrivals"],
        "arrivals_left_out": found.attrs["left_out"],
    }
    title = f"{home.id}, {regions.pollutant}, {found.attrs['arrivals']} arrivals"
    unit = "µg m$^{-3}$" if regions.unit == _UG_M3 else regions.unit
    for name in ("pscf", "cwt"):
        result.figures[name] = wind_plots.regions_on_map(found, name, title, (home.latitude, home.longitude), unit)
