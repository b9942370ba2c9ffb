"""Receptor models: source regions from trajectories and the concentrations measured at their end.

Potential source contribution function (PSCF) and concentration-weighted trajectories (CWT). Both identify regions
that polluted air had crossed, not sources, and the regions extend beyond a source along the paths that crossed it.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from hazecast.forecast.evaluation.comparison import resampled_days
from hazecast.grids.errors import InputError

Array = NDArray[np.float64]

_FEWEST, _LEVEL = 20, 0.95
# Days that are one observation. Pollution lasts for days whatever the wind, and the wind that brought it keeps too: with blocks of three
# days intervals of CWT held less of what many more days show in every simulated setting of docs/studies/wind.md.
BLOCK_DAYS = 7
# Cells crossed by few paths are uncertain: weight by the number of end points over the mean of all crossed
# cells. Weights of this kind are common since Polissar et al. (2001, Environ. Sci. Technol. 35:4604); these
# values are chosen here.
_WEIGHTS = ((3.0, 1.0), (1.5, 0.7), (1.0, 0.4), (0.0, 0.2))


def source_regions(
    paths: xr.Dataset,
    concentration: NDArray[np.floating],
    *,
    cell_degrees: float = 0.5,
    percentile: float = 75.0,
    day: NDArray[np.int64] | None = None,
) -> xr.Dataset:
    """Compute PSCF and CWT on a grid.

    PSCF of a cell is m / n: of the n trajectory end points in it, m belong to arrivals at or above a percentile
    of the concentration (Ashbaugh, Malm and Sadeh 1985, Atmos. Environ. 19:1263). CWT is the mean concentration
    of the arrivals, weighted by the time they spent in the cell (Hsu, Holsen and Hopke 2003, Atmos. Environ.
    37:545).

    Parameters
    ----------
    paths : xarray.Dataset (parcel, age)
        Backward, as from `hazecast.forecast.studies.wind.trajectories.trajectories`.
    concentration : float (parcel,)
        Measured at arrival, ug m-3; parcels with NaN are left out.
    cell_degrees : float
        Cell size, 0.05 to 5 degrees.
    percentile : float
        Threshold of a high concentration, 1 to 99.
    day : int64 (parcel,), optional
        Day number of each arrival, from 0; for intervals (95 %), of which blocks of `BLOCK_DAYS` days are the observations.

    Returns
    -------
    xarray.Dataset (latitude, longitude)
        ``pscf`` (1) and ``cwt`` (ug m-3), down-weighted where few paths passed; ``points`` (n); with `day`, ``pscf_low``,
        ``pscf_high``, ``cwt_low`` and ``cwt_high``, NaN where fewer than two blocks' worth of paths passed; ``weight`` (1), the factor of
        all of them but `points`. NaN where no path passed. Attributes ``threshold`` (ug m-3), ``percentile``, ``overall`` (the share of
        arrivals at or above the threshold), ``arrivals`` (that were used) and ``left_out`` (without a concentration or a path).

    Raises
    ------
    InputError
        If a number is out of range, fewer than 20 arrivals have a concentration and a path, or none is below the threshold.
    """
    value = np.asarray(concentration, float)
    _check_parameters(paths, value, cell_degrees, percentile)
    # The first point is the receptor itself, common to all paths.
    lat, lon = paths["latitude"].values[:, 1:], paths["longitude"].values[:, 1:]
    used = np.isfinite(value) & np.isfinite(lat[:, 0])
    if used.sum() < _FEWEST:
        raise InputError("arrivals with a concentration and a path", int(used.sum()), f"at least {_FEWEST}")
    threshold = float(np.percentile(value[used], percentile))
    high = value >= threshold
    if high[used].all():
        raise InputError(
            "concentration", f"{threshold:g} or more at every arrival", f"some below percentile {percentile:g}"
        )
    rows, columns, axes = _cells(lat, lon, used, cell_degrees)
    shape = (len(axes[0]), len(axes[1]))
    size = shape[0] * shape[1]
    parcel = np.broadcast_to(np.arange(len(value))[:, None], lat.shape)
    inside = used[:, None] & np.isfinite(lat)
    # Cell and parcel of each end point.
    cell, owner = rows[inside] * shape[1] + columns[inside], parcel[inside]
    n = np.bincount(cell, minlength=size)
    crossed = n > 0
    weight = _weight(n, crossed)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.bincount(cell, high[owner], minlength=size) / n
        mean = np.bincount(cell, value[owner], minlength=size) / n
    fields = {"pscf": weight * share, "cwt": weight * mean, "points": n.astype(float), "weight": weight}
    if day is not None:
        number = _by_block(cell, day[owner] // BLOCK_DAYS, size)
        error = _share_error(cell, owner, np.where(used, value, np.nan), day, percentile, size)
        ends = {"pscf": _share_interval(share, error, _effective(number))}
        ends["cwt"] = _mean_interval(mean, number, _by_block(cell, day[owner] // BLOCK_DAYS, size, value[owner]))
        fields |= {f"{name}_{end}": weight * ends[name][k] for name in ends for k, end in enumerate(("low", "high"))}
    return xr.Dataset(
        {
            name: (
                ("latitude", "longitude"),
                np.where(crossed, field, np.nan).reshape(shape),
                {"units": "ug m-3" if name.startswith("cwt") else "1"},
            )
            for name, field in fields.items()
        },
        coords={"latitude": axes[0], "longitude": axes[1]},
        attrs={
            "threshold": threshold,
            "percentile": percentile,
            "overall": float(high[used].mean()),
            "arrivals": int(used.sum()),
            "left_out": int((~used).sum()),
        },
    )


def _check_parameters(paths: xr.Dataset, value: Array, cell_degrees: float, percentile: float) -> None:
    if not 0.05 <= cell_degrees <= 5.0:
        raise InputError("cell_degrees", cell_degrees, "0.05 to 5")
    if not 1.0 <= percentile <= 99.0:
        raise InputError("percentile", percentile, "1 to 99")
    if value.shape != (paths.sizes["parcel"],):
        raise InputError("concentration", f"shape {value.shape}", f"({paths.sizes['parcel']},), one a trajectory")


def _cells(
    lat: Array, lon: Array, used: NDArray[np.bool_], cell: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[Array, Array]]:
    south, west = np.floor(np.nanmin(lat[used]) / cell), np.floor(np.nanmin(lon[used]) / cell)
    rows = np.nan_to_num(np.floor(lat / cell) - south).astype(np.int64)
    columns = np.nan_to_num(np.floor(lon / cell) - west).astype(np.int64)
    high, wide = int(rows[used].max()) + 1, int(columns[used].max()) + 1
    return rows, columns, ((south + np.arange(high) + 0.5) * cell, (west + np.arange(wide) + 0.5) * cell)


def _weight(n: NDArray[np.int64], crossed: NDArray[np.bool_]) -> Array:
    relative = n / n[crossed].mean()
    return np.select([relative > least for least, _ in _WEIGHTS], [weight for _, weight in _WEIGHTS], 0.0)


def _by_block(
    cell: NDArray[np.int64], block: NDArray[np.int64], size: int, amount: NDArray[np.floating] | None = None
) -> Array:
    """Return the number of end points, or the sum of an amount of each, by block and cell (block, size)."""
    blocks = int(block.max()) + 1
    return np.bincount(block * size + cell, amount, minlength=blocks * size).reshape(blocks, size).astype(float)


def _effective(number: Array) -> Array:
    """Return as how many equal blocks those of a cell count, from end points by block and cell (Kish 1965, Survey Sampling)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(number.sum(axis=0) ** 2 / (number**2).sum(axis=0))


def _quantile(effective: Array) -> Array:
    """Return Student's t with one degree of freedom less than blocks; NaN below two of them.

    A cell that two episodes crossed has two observations, however many paths they were.
    """
    return np.asarray(stats.t.ppf((1 + _LEVEL) / 2, np.where(effective >= 2.0, effective - 1.0, np.nan)))


def _mean_interval(mean: Array, number: Array, total: Array) -> tuple[Array, Array]:
    """Return the interval of the mean of each cell (size,), from end points and their sum of concentrations by block and cell.

    The mean is a ratio, linearised: a block's residual is the sum of its deviations, divided by one less its share of the cell's end
    points (its leverage, as in a jackknife).
    """
    n = number.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = (total - mean * number) / (1.0 - number / n)
        crossed = (number > 0).sum(axis=0)
        error = np.sqrt((crossed - 1) / crossed * (residual**2).sum(axis=0)) / n
    half = error * _quantile(_effective(number))
    return mean - half, mean + half


def _share_error(
    cell: NDArray[np.int64],
    owner: NDArray[np.int64],
    value: Array,
    day: NDArray[np.int64],
    percentile: float,
    size: int,
) -> Array:
    """Return the standard error of PSCF of each cell (size,): of resampled blocks of days, each with its own percentile.

    With one percentile for all of them the intervals are too narrow, as those of
    `hazecast.forecast.studies.wind.roses.conditional_probability` would be. A resample that has none of a cell's end points counts nothing there.
    """
    known = np.flatnonzero(np.isfinite(value))
    order = known[np.argsort(value[known], kind="stable")]
    drawn, total, squares = np.zeros((3, size))
    for times in resampled_days(int(day.max()) + 1, block=BLOCK_DAYS):
        of_parcel = times[day].astype(float)
        below = np.cumsum(of_parcel[order])
        least = value[order[np.searchsorted(below, percentile / 100.0 * below[-1])]]
        n = np.bincount(cell, of_parcel[owner], minlength=size)
        m = np.bincount(cell, (of_parcel * (value >= least))[owner], minlength=size)
        share = np.divide(m, n, out=np.zeros(size), where=n > 0)
        drawn += n > 0
        total += share
        squares += share**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.maximum(squares - total**2 / drawn, 0.0) / (drawn - 1)))


def _share_interval(share: Array, error: Array, effective: Array) -> tuple[Array, Array]:
    """Return the interval of the share of each cell (size,), within 0 to 1 and also above 0 where no path was polluted.

    Wilson (1927, J. Am. Stat. Assoc. 22:209), with as many observations as would have that error (Korn and Graubard 1998, Survey
    Methodology 24:193), or as there are blocks where all or none of the paths were polluted, and Student's t.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        count = share * (1.0 - share) / error**2
        count = np.where((share > 0) & (share < 1) & np.isfinite(count), count, effective)
        square = _quantile(effective) ** 2 / count
        middle = (share + square / 2) / (1.0 + square)
        half = np.sqrt(square * (share * (1.0 - share) + square / 4)) / (1.0 + square)
    return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)
