"""The scaled logarithm of concentrations that the network and its calibration work on."""

from __future__ import annotations

import torch
from torch import Tensor

from hazecast.models.interface import OBSERVED, TARGETS

# Centre and spread of log(concentration + offset), ug m-3: round figures near those of the training data, so that a
# checkpoint needs no statistics.
_LOG_CENTRE: dict[str, tuple[float, float]] = {
    "pm25": (4.0, 1.0),
    "o3": (3.7, 1.1),
    "pm10": (4.4, 0.9),
    "no2": (3.7, 0.7),
    "so2": (2.5, 1.1),
    "co": (6.9, 0.8),
}
_LOG_OFFSET = 5.0
_OBS_CENTRE = torch.tensor([_LOG_CENTRE[name][0] for name in OBSERVED])
_OBS_SPREAD = torch.tensor([_LOG_CENTRE[name][1] for name in OBSERVED])


def encode_concentration(value: Tensor, which: tuple[int, ...] | None = None) -> Tensor:
    """Take concentrations (..., k) in ug m-3 to the scaled logarithm the network works on.

    Parameters
    ----------
    value : Tensor (..., k)
        ug m-3.
    which : tuple of int, optional
        Positions in `OBSERVED` of the k pollutants; by default all.

    Returns
    -------
    Tensor (..., k)
    """
    pick = list(which) if which is not None else list(range(len(OBSERVED)))
    logs = torch.log(value.clamp(min=0.0) + _LOG_OFFSET)
    return (logs - _OBS_CENTRE[pick].to(value.device)) / _OBS_SPREAD[pick].to(value.device)


def decode_concentration(z: Tensor) -> Tensor:
    """Invert `encode_concentration` for the forecast pollutants; (..., 2, k) to ug m-3."""
    pick = list(TARGETS)
    logs = z * _OBS_SPREAD[pick, None].to(z.device) + _OBS_CENTRE[pick, None].to(z.device)
    return torch.exp(logs.clamp(max=8.0)) - _LOG_OFFSET
