"""Receptor models: source regions from trajectories and the concentrations measured at their end.

Potential source contribution function (PSCF) and concentration-weighted trajectories (CWT). Both identify regions
that polluted air had crossed, not sources, and the regions extend beyond a source along the paths that crossed it.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from hazecast.grids.errors import InputError

Array = NDArray[np.float64]

_FEWEST = 20
# Days that are one observation, here and for `hazecast.forecast.studies.wind.provinces`: as long as a path, since the weather of one
# day is also that of the next. Chosen.
BLOCK_DAYS = 3
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
        Day number of each arrival, from 0; for intervals, of which blocks of `BLOCK_DAYS` days are the observations.

    Returns
    -------
    xarray.Dataset (latitude, longitude)
        ``pscf`` (1) and ``cwt`` (ug m-3), down-weighted where few paths passed; ``points`` (n); with `day`,
        ``cwt_low`` and ``cwt_high`` (95 %), NaN where fewer than two blocks' worth of paths passed; ``weight`` (1), the factor of all
        of them but `points`. NaN where no path passed. Attributes ``threshold`` (ug m-3),
        ``percentile`` and ``arrivals``.

    Raises
    ------
    InputError
        If a number is out of range, or fewer than 20 arrivals have a concentration and a path.
    """
    value = np.asarray(concentration, float)
    _check_parameters(paths, value, cell_degrees, percentile)
    # The first point is the receptor itself, common to all paths.
    lat, lon = paths["latitude"].values[:, 1:], paths["longitude"].values[:, 1:]
    used = np.isfinite(value) & np.isfinite(lat[:, 0])
    if used.sum() < _FEWEST:
        raise InputError("arrivals with a concentration and a path", int(used.sum()), f"at least {_FEWEST}")
    threshold = float(np.percentile(value[used], percentile))
    rows, columns, axes = _cells(lat, lon, used, cell_degrees)
    shape = (len(axes[0]), len(axes[1]))
    size = shape[0] * shape[1]
    parcel = np.broadcast_to(np.arange(len(value))[:, None], lat.shape)
    inside = used[:, None] & np.isfinite(lat)
    # Cell and parcel of each end point.
    cell, owner = rows[inside] * shape[1] + columns[inside], parcel[inside]
    n = np.bincount(cell, minlength=size)
    m = np.bincount(cell, (value >= threshold)[owner], minlength=size)
    total = np.bincount(cell, value[owner], minlength=size)
    crossed = n > 0
    weight = _weight(n, crossed)
    with np.errstate(invalid="ignore", divide="ignore"):
        fields = {"pscf": weight * m / n, "cwt": weight * total / n, "points": n.astype(float), "weight": weight}
    if day is not None:
        fields["cwt_low"], fields["cwt_high"] = (
            weight * end for end in _interval(cell, value[owner], day[owner] // BLOCK_DAYS, size)
        )
    units = {"pscf": "1", "points": "1", "weight": "1"}
    return xr.Dataset(
        {
            name: (
                ("latitude", "longitude"),
                np.where(crossed, field, np.nan).reshape(shape),
                {"units": units.get(name, "ug m-3")},
            )
            for name, field in fields.items()
        },
        coords={"latitude": axes[0], "longitude": axes[1]},
        attrs={"threshold": threshold, "percentile": percentile, "arrivals": int(used.sum())},
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


def _interval(cell: NDArray[np.int64], value: Array, block: NDArray[np.int64], size: int) -> tuple[Array, Array]:
    """Return the 95 % interval of the mean of each cell (size,), from end points (cell, value of their arrival, block).

    The mean is a ratio, linearised: a block's residual is the sum of its deviations, divided by one less its share of the cell's end
    points (its leverage, as in a jackknife). Blocks are as many as equal shares would make (Kish), and Student's t has one degree of
    freedom less: a cell that two episodes crossed has two observations, however many paths they were.
    """
    blocks = int(block.max()) + 1
    shape = (blocks, size)
    number = np.bincount(block * size + cell, minlength=blocks * size).reshape(shape).astype(float)
    total = np.bincount(block * size + cell, value, minlength=blocks * size).reshape(shape)
    n = number.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total.sum(axis=0) / n
        effective = n**2 / (number**2).sum(axis=0)
        known = effective >= 2.0
        residual = (total - mean * number) / (1.0 - number / n)
        crossed = (number > 0).sum(axis=0)
        error = np.sqrt((crossed - 1) / crossed * (residual**2).sum(axis=0)) / n
    half = np.full(size, np.nan)
    half[known] = error[known] * stats.t.ppf(0.975, effective[known] - 1.0)
    return mean - half, mean + half
