"""Concentrations relative to what is usual at the place: the scale that the network and its calibration work on.

The logarithm of the ratio to the place's level, in units of the place's own spread. Multiplying all concentrations
of a place by a factor changes nothing on this scale.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Share of the level that is added before the logarithm: values near zero, often below what an instrument resolves,
# are then no extremes.
_OFFSET = 0.1
_HIGHEST = 4.0


def encode_concentration(value: Tensor, level: Tensor, spread: Tensor) -> Tensor:
    """Take concentrations to the network's scale.

    Parameters
    ----------
    value : Tensor
        ug m-3; NaN stays NaN.
    level, spread : Tensor
        Of `hazecast.models.background.Background`, in a shape that goes with `value`.

    Returns
    -------
    Tensor
        log((value + 0.1 level) / (1.1 level)) / spread.
    """
    return torch.log((value.clamp(min=0.0) + _OFFSET * level) / ((1 + _OFFSET) * level)) / spread


def decode_concentration(z: Tensor, level: Tensor, spread: Tensor) -> Tensor:
    """Invert `encode_concentration`.

    Parameters
    ----------
    z : Tensor
        On the network's scale.
    level, spread : Tensor
        In a shape that goes with `z`.

    Returns
    -------
    Tensor
        ug m-3; slightly negative where a value lies below zero on the scale's own terms.
    """
    return level * ((1 + _OFFSET) * torch.exp((z * spread).clamp(max=_HIGHEST)) - _OFFSET)
