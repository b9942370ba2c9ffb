"""The forecast of a stored run, and what a picture of it may look like. Loads no drawing library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import xarray as xr

from hazecast.alerts.maps.options import Format
from hazecast.grids.errors import InputError

ValueKind = Literal["pm25", "o3", "aqi"]
VALUE_KINDS: tuple[ValueKind, ...] = ("pm25", "o3", "aqi")
MEDIA_TYPES: dict[Format, str] = {"gif": "image/gif", "png": "image/png", "webp": "image/webp"}


@dataclass(frozen=True)
class Look:
    """How a picture is to look: its language and its size."""

    language: str = "zh"
    size: str = "desktop"


@lru_cache(maxsize=16)
def load_forecast(path: str) -> xr.Dataset:
    """Return a stored forecast. Its file never changes under one name; do not change what is returned.

    Raises
    ------
    InputError
        If the file is gone.
    """
    if not Path(path).is_file():
        raise InputError("forecast file", path, "the file of a stored run")
    with xr.open_dataset(path, decode_timedelta=True) as dataset:
        return dataset.load()
