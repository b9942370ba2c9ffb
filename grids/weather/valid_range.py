"""Values that a NetCDF file says are none: those outside the valid range of their variable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

Array = npt.NDArray[np.float64]


def within_valid_range(array: xr.DataArray, values: Array) -> Array:
    """Return values with NaN where they lie outside what their variable says is valid: they are missing.

    CF conventions 1.11, section 2.5.1; the range is of the packed values where it has their type.

    Parameters
    ----------
    array : xarray.DataArray
        The variable, with its attributes and encoding.
    values : float (...)
        Its values, unpacked.

    Returns
    -------
    float (...)
    """
    low, high = array.attrs.get("valid_min", -np.inf), array.attrs.get("valid_max", np.inf)
    stated = np.ravel(array.attrs.get("valid_range", (low, high)))
    if stated.shape != (2,) or stated.dtype.kind not in "fiu":
        return values
    packed = np.dtype(array.encoding.get("dtype") or "f8")
    low, high = stated.astype(np.float64)
    if packed.kind in "iu" and stated.dtype.kind in "iu":
        scale, offset = array.encoding.get("scale_factor", 1.0), array.encoding.get("add_offset", 0.0)
        low, high = sorted((low * scale + offset, high * scale + offset))
    # Rounded in single precision.
    edge = 1e-6 * max(abs(low), abs(high)) if np.isfinite([low, high]).all() else 0.0
    return np.where((values < low - edge) | (values > high + edge), np.nan, values)
