"""The state of a training: written atomically, read without running code from the file."""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from hazecast.grids.errors import InputError
from hazecast.models.series import WindowSet


def fingerprint(train: WindowSet) -> str:
    """Return a digest of all that training windows are cut from: the same data, the same digest."""
    digest = hashlib.sha256(f"{train.until} {train.weather_known} {train.errors}".encode())
    for array in (train.index, *(getattr(one, field.name) for one in train.series for field in fields(one))):
        if array is None:
            continue
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def write_state(path: Path, step: int, parts: dict[str, Any], identity: dict[str, Any]) -> None:
    """Write the state after `step` steps; a kill leaves the earlier or the new file, never a torn one.

    Parameters
    ----------
    path : Path
    step : int
        Steps done.
    parts : dict of str to object
        What has a ``state_dict``: networks, optimiser, schedule, scaler.
    identity : dict
        Settings and data that the state belongs to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    content = {"step": step, "identity": identity} | {name: piece.state_dict() for name, piece in parts.items()}
    with part.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_state(path: Path, parts: dict[str, Any], identity: dict[str, Any], device: torch.device) -> int:
    """Put `parts` back into the state in `path` and return the steps done.

    Parameters
    ----------
    path : Path
    parts : dict of str to object
        Changed in place.
    identity : dict
        Settings and data of this training.
    device : torch.device
        Where the tensors go.

    Returns
    -------
    int
        Steps done.

    Raises
    ------
    InputError
        If the file is broken, or its settings or data are not those of this training.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        step, known = int(content["step"]), dict(content["identity"])
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
        raise InputError(str(path), error, "the state of a training, whole") from error
    for name, value in identity.items():
        if known.get(name) != value:
            raise InputError(f"{path}: {name}", known.get(name), f"{value}, that of the training to be resumed")
    for name, piece in parts.items():
        piece.load_state_dict(content[name])
    return step
