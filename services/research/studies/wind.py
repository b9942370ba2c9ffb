"""``hazecast study wind``: concentrations by direction and speed of the wind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hazecast.services.research.studies.asking import Local, Observed, Option, Table, study
from hazecast.services.research.studies.observations import Observations
from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from hazecast.forecast.studies.wind.roses import WindSample

# Classes of the pollution rose of PM2.5, ug m-3; of others, the classes are quantiles.
_EDGES = [35.0, 75.0, 115.0, 150.0]
_UG_M3 = "ug m-3"


@dataclass(frozen=True)
class MeasuredOptions:
    """What was measured."""

    observations: Annotated[Observations | None, Observed("That hold the place, with wind.")] = None
    samples: Annotated[Path | None, Table("CSV of hourly samples of any species, times in its first column.")] = None
    pollutant: Annotated[
        str,
        Option("Variable of the collection, such as pm25 or o3, or column of the samples."),
    ] = "pm25"
    unit: Annotated[str, Option("Unit of the samples.")] = _UG_M3


@dataclass(frozen=True)
class LevelOptions:
    """Wind above the ground."""

    weather: Annotated[Path | None, Local("Gridded weather with wind: GRIB2 or NetCDF.")] = None
    level: Annotated[float | None, Local("Pressure level of its wind, hPa, such as 925 or 850.")] = None


@study
def wind(
    place: Annotated[str, Option("Station or city; a city where --weather is given.")],
    measured: MeasuredOptions,
    above: LevelOptions,
    percentile: Annotated[float, Option("From which a concentration is high.")] = 75.0,
    sectors: Annotated[int, Option("Number of wind sectors.")] = 16,
) -> Result:
    """Conditional probability by wind direction, pollution rose and bivariate polar plot of a place."""
    from hazecast.forecast.studies.wind.roses import conditional_probability, peak_of, polar_surface, wind_sample
    from hazecast.services.research.studies.report_text import said

    series, (u, v), source = _series_and_wind(place, measured, above)
    sample = wind_sample(series, u.reindex(time=series["time"]), v.reindex(time=series["time"]))
    found = conditional_probability(sample, sectors=sectors, percentile=percentile)
    surface = polar_surface(sample)
    where, speed, value = peak_of(surface)
    summary = {
        "place": place,
        "pollutant": measured.pollutant,
        "unit": measured.unit,
        "wind": source,
        "hours": len(sample.concentration),
        "hours_left_out": sample.left_out,
        "calm_hours": found.attrs["calm_hours"],
        "threshold": found.attrs["threshold"],
        "probability_all_winds": found.attrs["overall"],
        "polar_peak_direction_degrees": where,
        "polar_peak_speed_m_s": speed,
        "polar_peak": value,
    }
    table = found.to_dataframe().reset_index(drop=True).set_index("origin")
    times = series["time"].values
    title = f"{place}, {said(measured.pollutant)}, {times[0]:.10} to {times[-1]:.10}, {source}"
    figures = _figures(sample, found, surface, sectors, title, measured)
    return Result(summary, {"conditional_probability": table}, figures, printed=("conditional_probability",))


def _series_and_wind(
    place: str, measured: MeasuredOptions, above: LevelOptions
) -> tuple[xr.DataArray, tuple[xr.DataArray, xr.DataArray], str]:
    """Return the concentrations, the wind, and in words which wind it is."""
    from hazecast.grids.errors import InputError
    from hazecast.services.core.places import city_registry
    from hazecast.services.core.settings import Settings
    from hazecast.services.research.species_wind import DIRECTION, SPEED, level_wind_at, species_of

    if (above.weather is None) != (above.level is None):
        raise InputError("--weather, --level", "one of them", "both or neither")
    if (measured.observations is None) == (measured.samples is None):
        raise InputError("--observations, --samples", "both or neither", "one of them")
    if measured.samples is None and measured.unit != _UG_M3:
        raise InputError("--unit", measured.unit, f"{_UG_M3}, which collections are in")
    beside: tuple[xr.DataArray, xr.DataArray] | None
    if measured.samples is not None:
        series, beside = species_of(
            measured.samples, measured.pollutant, measured.unit, offset=above.weather is not None
        )
    else:
        assert measured.observations is not None
        series, air = measured.observations.series(place, measured.pollutant)
        beside = air["u10"], air["v10"]
    if above.weather is not None and above.level is not None:
        home = city_registry(Settings()).city(place)
        there = level_wind_at(above.weather, above.level, home.latitude, home.longitude)
        return series, there, f"wind at {above.level:g} hPa"
    if beside is None:
        raise InputError(str(measured.samples), "no wind", f"columns {SPEED} and {DIRECTION}, or --weather and --level")
    return series, beside, "measured wind"


def _figures(
    sample: WindSample, found: xr.Dataset, surface: xr.Dataset, sectors: int, title: str, measured: MeasuredOptions
) -> dict[str, Figure]:
    import numpy as np

    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.forecast.studies.wind.roses import pollution_rose

    edges = _EDGES
    if measured.samples is not None or measured.pollutant != "pm25":
        # A species that is often below detection has quantiles that coincide.
        edges = np.unique(np.percentile(sample.concentration, [25.0, 50.0, 75.0, 90.0])).tolist()
    shares = pollution_rose(sample, np.array(edges), sectors=sectors)
    unit = "µg m$^{-3}$" if measured.unit == _UG_M3 else measured.unit
    return {
        "conditional_probability": wind_plots.conditional(found, title, unit),
        "pollution_rose": wind_plots.rose(shares, edges, title, unit),
        "polar": wind_plots.polar(surface, title, unit),
    }
