"""Plots of the wind studies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from cartopy import crs
from matplotlib.figure import Figure

from hazecast.forecast.studies.wind.roses import peak_of

_BLUE, _BLACK, _GREY = "#2b6cb0", "#1a202c", "#a0aec0"
_UNIT = "µg m$^{-3}$"


def _rounded(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def conditional(found: xr.Dataset, title: str, unit: str = _UNIT) -> Figure:
    """Draw the conditional probability function with its 95 % intervals.

    Parameters
    ----------
    found : xarray.Dataset (sector,)
        From `hazecast.forecast.studies.wind.roses.conditional_probability`.
    title : str
        Title of the figure.
    unit : str
        Of the concentration.

    Returns
    -------
    matplotlib.figure.Figure
        Polar axes, north up; the grey circle is the probability over all wind directions.
    """
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes = figure.add_subplot(projection="polar")
    axes.set_theta_zero_location("N")  # type: ignore[attr-defined]
    axes.set_theta_direction(-1)  # type: ignore[attr-defined]
    axes.set_xticks(np.deg2rad(np.arange(0, 360, 45)), ("N", "NE", "E", "SE", "S", "SW", "W", "NW"))
    angle = np.deg2rad(found["origin"].values)
    value = found["probability"].values
    width = 2 * np.pi / len(angle)
    axes.bar(angle, value, width=0.9 * width, color=_BLUE, alpha=0.75)
    reach = np.clip(np.stack([value - found["low"].values, found["high"].values - value]), 0.0, None)
    axes.errorbar(angle, value, yerr=reach, fmt="none", ecolor=_BLACK, elinewidth=1, capsize=2)
    around = np.linspace(0, 2 * np.pi, 200)
    axes.plot(around, np.full(200, found.attrs["overall"]), color=_GREY, linewidth=1)
    axes.set_title(
        f"{title}\nprobability of {_rounded(found.attrs['threshold'])} {unit} or more by wind direction;"
        f" grey: all winds, {found.attrs['overall']:.2f}",
        fontsize=8,
        loc="left",
    )
    return figure


def rose(shares: xr.DataArray, edges: list[float], title: str, unit: str = _UNIT) -> Figure:
    """Draw a pollution rose: the share of hours by wind direction, in classes of concentration.

    Parameters
    ----------
    shares : xarray.DataArray (sector, group)
        From `hazecast.forecast.studies.wind.roses.pollution_rose`.
    edges : list of float
        Limits between the classes, ug m-3.
    title : str
        Title of the figure.
    unit : str
        Of the concentration.

    Returns
    -------
    matplotlib.figure.Figure
        Polar axes, north up.
    """
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes = figure.add_subplot(projection="polar")
    axes.set_theta_zero_location("N")  # type: ignore[attr-defined]
    axes.set_theta_direction(-1)  # type: ignore[attr-defined]
    axes.set_xticks(np.deg2rad(np.arange(0, 360, 45)), ("N", "NE", "E", "SE", "S", "SW", "W", "NW"))
    angle, width = np.deg2rad(shares["origin"].values), 2 * np.pi / shares.sizes["sector"]
    bottom = np.zeros(shares.sizes["sector"])
    shades = ["#cfe3f5", "#8fbbe0", "#f0a860", "#c0392b", "#6b1d6b"]
    names = [f"below {edges[0]:.4g}", *(f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)), f"{edges[-1]:.4g} or more"]  # fmt: skip
    for number, name in enumerate(names):
        part = 100.0 * shares.values[:, number]
        shade = shades[round(number * (len(shades) - 1) / max(len(names) - 1, 1))]
        axes.bar(angle, part, width=0.9 * width, bottom=bottom, color=shade, label=f"{name} {unit}")
        bottom += part
    axes.set_title(f"{title}\nshare of hours, %, by wind direction", fontsize=8, loc="left")
    figure.legend(*axes.get_legend_handles_labels(), fontsize=7, frameon=False, loc="outside lower center", ncols=3)
    return figure


def polar(surface: xr.Dataset, title: str, unit: str = _UNIT) -> Figure:
    """Draw a bivariate polar plot.

    Parameters
    ----------
    surface : xarray.Dataset (north, east)
        From `hazecast.forecast.studies.wind.roses.polar_surface`.
    title : str
        Title of the figure.
    unit : str
        Of the concentration.

    Returns
    -------
    matplotlib.figure.Figure
        Expected concentration, ug m-3, with circles of wind speed.
    """
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    axes = figure.subplots()
    drawn = axes.pcolormesh(
        surface["east"], surface["north"], surface["concentration"], cmap="viridis", shading="nearest"
    )
    figure.colorbar(drawn, ax=axes, label=unit, shrink=0.8)
    most = float(surface["east"].max())
    for radius in np.arange(2.0, most + 1e-9, 2.0):
        around = np.linspace(0, 2 * np.pi, 200)
        axes.plot(radius * np.sin(around), radius * np.cos(around), color="white", linewidth=0.6)
        axes.text(0, radius, f"{radius:g} m/s", fontsize=7, color="white", va="top", ha="center")
    for name, x, y in (("N", 0, 1.07), ("E", 1.07, 0), ("S", 0, -1.07), ("W", -1.07, 0)):
        axes.text(x * most, y * most, name, ha="center", va="center", fontsize=9)
    axes.set_aspect("equal")
    axes.axis("off")
    where, speed, value = peak_of(surface)
    axes.set_title(
        f"{title}\nexpected {unit} by direction and speed of the wind; most at {where:.0f}°, {speed:.1f} m/s: {_rounded(value)}",
        fontsize=8,
        loc="left",
        pad=14,
    )
    return figure


def paths_on_map(paths: xr.Dataset, labels: xr.DataArray | None, title: str) -> Figure:
    """Draw trajectories on a map, coloured by cluster.

    Parameters
    ----------
    paths : xarray.Dataset (parcel, age)
        From `hazecast.forecast.studies.wind.trajectories.trajectories`.
    labels : xarray.DataArray of int (parcel,) or None
        From `hazecast.forecast.studies.wind.trajectories.cluster`; grey where negative or None.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        A map in plate carrée projection.
    """
    figure = Figure(figsize=(6, 4.8), layout="constrained")
    axes = figure.add_subplot(projection=crs.PlateCarree())
    colours = ["#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#4a5568"]
    for parcel in range(paths.sizes["parcel"]):
        group = -1 if labels is None else int(labels.values[parcel])
        colour = _GREY if group < 0 else colours[group % len(colours)]
        axes.plot(
            paths["longitude"].values[parcel], paths["latitude"].values[parcel], color=colour, linewidth=0.5, alpha=0.5,
            transform=crs.PlateCarree(),
        )  # fmt: skip
    axes.gridlines(draw_labels=True, linewidth=0.3, color=_GREY)
    axes.set_title(title, fontsize=9, loc="left")
    return figure


def regions_on_map(
    found: xr.Dataset, name: str, title: str, mark: tuple[float, float] | None = None, unit: str = _UNIT
) -> Figure:
    """Draw the map of a source region statistic.

    Parameters
    ----------
    found : xarray.Dataset (latitude, longitude)
        From `hazecast.forecast.studies.wind.receptor.source_regions`.
    name : str
        ``pscf`` or ``cwt``.
    title : str
        Title of the figure.
    mark : tuple of float, optional
        Latitude and longitude of the receptor, degrees.
    unit : str
        Of the concentration.

    Returns
    -------
    matplotlib.figure.Figure
        A map in plate carrée projection.
    """
    figure = Figure(figsize=(6, 4.8), layout="constrained")
    axes = figure.add_subplot(projection=crs.PlateCarree())
    drawn = axes.pcolormesh(
        found["longitude"],
        found["latitude"],
        found[name],
        cmap="viridis",
        shading="nearest",
        transform=crs.PlateCarree(),
    )
    label = "PSCF, weighted" if name == "pscf" else f"CWT, weighted, {unit}"
    figure.colorbar(drawn, ax=axes, label=label, shrink=0.8)
    if mark is not None:
        axes.plot(mark[1], mark[0], "^", color="#c0392b", markersize=7, transform=crs.PlateCarree())
    axes.gridlines(draw_labels=True, linewidth=0.3, color=_GREY)
    axes.set_title(title, fontsize=9, loc="left")
    return figure


def shares(table: pd.DataFrame, title: str, truth: pd.Series | None = None) -> Figure:
    """Draw the shares of areas in an element with their intervals.

    Parameters
    ----------
    table : pandas.DataFrame (area)
        Of one element, from `hazecast.forecast.studies.wind.provinces.contributions`.
    title : str
    truth : pandas.Series (area), optional
        Known shares, drawn as marks.

    Returns
    -------
    matplotlib.figure.Figure
        Areas with too few days are left out.
    """
    known = table.dropna(subset=["share"]).iloc[::-1]
    figure = Figure(figsize=(5.4, 0.34 * len(known) + 1), layout="constrained")
    axes = figure.subplots()
    reach = 100 * np.array([known["share"] - known["share_low"], known["share_high"] - known["share"]], dtype=float)
    axes.errorbar(100 * known["share"].to_numpy(float), range(len(known)), xerr=reach, fmt="o", color=_BLUE, capsize=3)
    if truth is not None:
        axes.plot(100 * truth[known.index], range(len(known)), "|", color="#dd6b20", markersize=14, label="truth")
        axes.legend(fontsize=7)
    axes.axvline(0, color=_GREY, linewidth=1)
    axes.set_yticks(range(len(known)), [str(name) for name in known.index])
    axes.margins(y=0.15)
    axes.set_xlabel("share of the mean, %, 95 % interval")
    axes.set_title(title, loc="left", fontsize=9)
    return figure
