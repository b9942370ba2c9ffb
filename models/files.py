"""Files of kept models: arrays as safetensors, and settings from a model card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hazecast.grids.errors import InputError

CARD_FILE = "model_card.json"
# More would be a damaged card, and exhaust the memory.
_WIDEST = 4_096


def save_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write named arrays as safetensors.

    Parameters
    ----------
    arrays : mapping of str to numpy.ndarray
        Numbers or booleans, of any shape.
    path : Path
    """
    path.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def load_arrays(path: Path, *, needed: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote.

    Parameters
    ----------
    path : Path
    needed : tuple of str
        Names that must be there.

    Returns
    -------
    dict of str to numpy.ndarray

    Raises
    ------
    InputError
        If the file can't be read or lacks an array.
    """
    try:
        found: dict[str, NDArray[Any]] = load(path.read_bytes())
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise InputError(str(path), error, "arrays as safetensors") from error
    if missing := sorted(set(needed) - set(found)):
        raise InputError(str(path), sorted(found), f"the arrays {missing} too")
    return found


def checked_settings(card: Mapping[str, Any], entry: str, folder: Path) -> dict[str, Any]:
    """Return the settings that a model card gives a network, none of them out of all proportion.

    Parameters
    ----------
    card : mapping
    entry : str
        Its entry that holds them.
    folder : Path
        Where the card is, for the error.

    Returns
    -------
    dict
        The entry.

    Raises
    ------
    InputError
        If the entry is absent, or a setting is no number from 0 to 4096.
    """
    settings = card.get(entry)
    if not isinstance(settings, dict):
        raise InputError(f"{folder / CARD_FILE}: {entry}", settings, "the settings of a network")
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _WIDEST:
            raise InputError(f"{folder / CARD_FILE}: {entry}.{name}", value, f"a number from 0 to {_WIDEST}")
    return settings
