"""Values that a NetCDF file says are none: those outside the valid range of their variable."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

_BOUNDS = ("valid_min", "valid_max", "valid_range")


def within_valid_range(array: xr.DataArray) -> xr.DataArray:
    """Return a variable as float64 with NaN where its values lie outside what it says is valid: they are missing.

    CF conventions 1.11, section 2.5.1; the range is of the packed values where it has their type. The result doesn't state
    it any more: what is computed of the values has another one.

    Parameters
    ----------
    array : xarray.DataArray
        Unpacked, with its attributes and encoding.

    Returns
    -------
    xarray.DataArray
    """
    values = array.values.astype(np.float64)
    low, high = array.attrs.get("valid_min", -np.inf), array.attrs.get("valid_max", np.inf)
    stated = np.ravel(array.attrs.get("valid_range", (low, high)))
    if stated.shape == (2,) and stated.dtype.kind in "fiu":
        low, high = _unpacked(stated, array.encoding)
        # Rounded in single precision.
        edge = 1e-6 * max(abs(low), abs(high)) if np.isfinite([low, high]).all() else 0.0
        values = np.where((values < low - edge) | (values > high + edge), np.nan, values)
    result = array.copy(data=values)
    result.attrs = {name: one for name, one in array.attrs.items() if name not in _BOUNDS}
    return result


def _unpacked(stated: np.ndarray, encoding: Mapping[Hashable, Any]) -> tuple[float, float]:
    """Return a range in the values' own unit."""
    packed = np.dtype(encoding.get("dtype") or "f8")
    if packed.kind not in "iu" or stated.dtype.kind not in "iu":
        return float(stated[0]), float(stated[1])
    if packed.kind == "i" and str(encoding.get("_Unsigned")).lower() == "true":
        # NetCDF 3 has no unsigned types: the range has the bits of one, as the values have (NetCDF Users Guide, appendix A).
        stated = stated.astype(packed).view(f"u{packed.itemsize}")
    scale, offset = (
        float(np.ravel(encoding.get(name, plain))[0]) for name, plain in (("scale_factor", 1.0), ("add_offset", 0.0))
    )
    low, high = sorted(scale * float(one) + offset for one in stated)
    return low, high
