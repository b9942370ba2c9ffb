"""A Dataset as plain bytes: NumPy's own format with the names in JSON, read without any C library of its own.

NetCDF needs HDF5, which is not made for threads; a process that serves reads forecasts in this form.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.errors import InputError

_LAYOUT = "layout"


def to_plain(dataset: xr.Dataset) -> bytes:
    """Return a Dataset as bytes; the same for the same content. Encodings are left out."""
    arrays: dict[str, Any] = {}
    variables = {}
    for name, variable in dataset.variables.items():
        values = variable.values
        # Text comes from NetCDF as objects, which only pickle could store.
        arrays[f"v.{name}"] = values.astype(str) if values.dtype.kind == "O" else values
        variables[str(name)] = [list(map(str, variable.dims)), _plain(variable.attrs), name in dataset.coords]
    layout = json.dumps({"variables": variables, "attrs": _plain(dataset.attrs)}, ensure_ascii=False)
    arrays[_LAYOUT] = np.frombuffer(layout.encode(), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def from_plain(
    content: bytes, names: Collection[str] | None = None, at: Mapping[str, npt.NDArray[np.int64]] | None = None
) -> xr.Dataset:
    """Return the Dataset that `to_plain` wrote, or a part of it; one variable after the other is read.

    Parameters
    ----------
    content : bytes
    names : collection of str, optional
        Only these of the data variables, and all coordinates; names that are not there are left out. All by default.
    at : mapping of str to int64 array, optional
        By dimension, the positions that are kept; all by default.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    InputError
        If the bytes are not in this form.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            layout = json.loads(stored[_LAYOUT].tobytes())
            data: dict[str, Any] = {}
            coords: dict[str, Any] = {}
            for name, (dims, attrs, is_coord) in layout["variables"].items():
                if is_coord or names is None or name in names:
                    (coords if is_coord else data)[name] = (dims, _taken(stored[f"v.{name}"], dims, at or {}), attrs)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise InputError("plain dataset", f"{type(error).__name__}: {error}", "what to_plain wrote") from error
    return xr.Dataset(data, coords, layout["attrs"])


def _taken(values: npt.NDArray[Any], dims: list[str], at: Mapping[str, npt.NDArray[np.int64]]) -> npt.NDArray[Any]:
    for axis, dim in enumerate(dims):
        if dim in at:
            values = values.take(at[dim], axis)
    return values


def _plain(attrs: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): value.tolist() if hasattr(value, "tolist") else value for name, value in attrs.items()}
