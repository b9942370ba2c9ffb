"""The components of a wind that is given by its speed and direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hazecast.grids.derived import wind_components
from hazecast.grids.errors import InputError

Array = npt.NDArray[np.float64]

# Angles may be rounded, and packed.
_FULL_CIRCLE = 361.0


def wind_of(speed: Array, origin: Array, speed_where: str, origin_where: str) -> tuple[Array, Array]:
    """Return the components of a wind by its speed and the direction that it comes from.

    Parameters
    ----------
    speed : float (...)
        NaN where missing.
    origin : float (...)
        Degrees clockwise from north.
    speed_where, origin_where : str
        Where they were read from, for errors.

    Returns
    -------
    u, v : float (...)
        In the unit of the speed; NaN where one of the two is missing, but a calm has no direction.

    Raises
    ------
    InputError
        If a speed is below zero or an angle is none.
    """
    below, outside = int((speed < 0.0).sum()), int((np.abs(origin) > _FULL_CIRCLE).sum())
    if below:
        raise InputError(speed_where, f"{below} values below 0", "a speed")
    if outside:
        raise InputError(origin_where, f"{outside} values outside", "-360 to 360 degrees")
    u, v = wind_components(speed, np.where(speed == 0.0, 0.0, origin))
    return np.asarray(u + 0.0), np.asarray(v + 0.0)
