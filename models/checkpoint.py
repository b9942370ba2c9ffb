"""Checkpoints: a model's own files beside its model card as JSON; loading runs no code from the folder.

The card names the `kind` of the model (see `hazecast.models.kinds`) and the SHA-256 of each file. A card without a
kind is one of a network.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hazecast.grids.errors import InputError, UnknownError
from hazecast.models.files import CARD_FILE
from hazecast.models.interface import KeptModel, Model
from hazecast.models.kinds import model_class

_FIRST_KIND, _ITS_FILE = "network", "network.safetensors"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LIBRARIES = ("torch", "numpy", "lightgbm", "scikit-learn")


def keepable(model: Model) -> KeptModel:
    """Return a model that can be kept.

    Raises
    ------
    InputError
        If it has no methods to be kept by, or no entry point declares its kind.
    """
    if not isinstance(model, KeptModel):
        raise InputError("model", model.name, "one with the methods save and load, as hazecast.models.zoo.template has")
    if model_class(model.name) is not type(model):
        raise InputError("model", type(model), f"{model_class(model.name)}, which the name {model.name!r} stands for")
    return model


def save(model: Model, card: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write a model's files and card into `folder`, each replaced atomically.

    Parameters
    ----------
    model : Model
        One that is a `hazecast.models.interface.KeptModel` of an installed kind.
    card : mapping
        What is known of the training: ``trained_on``, ``period``, ``seed`` and so on, as JSON; ``name`` is the
        beginning of the model's id.
    folder : Path
        Made if absent.

    Returns
    -------
    dict
        The card with ``model_id`` (which ends in the digest of the files), ``kind``, ``files``,
        ``weights_sha256`` (the digest), ``code_version`` and what the model's `save` returned.

    Raises
    ------
    InputError
        If the model can't be kept, or no entry point declares its kind.
    """
    model = keepable(model)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".saving-") as part:
        needed = model.save(Path(part))
        paths = sorted(Path(part).iterdir())
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
        digest = _digest(files)
        full = {
            "model_id": f"{card.get('name', model.name)}-{digest[:8]}",
            "kind": model.name,
            **{name: value for name, value in card.items() if name != "name"},
            **needed,
            "code_version": code_version(),
            "files": files,
            "weights_sha256": digest,
        }
        for path in paths:
            path.replace(folder / path.name)
    write_card(full, folder)
    return full


def _digest(files: Mapping[str, str]) -> str:
    """Return the digest of all files: that of the only one, or of the list of them."""
    if len(files) == 1:
        return next(iter(files.values()))
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def write_card(card: Mapping[str, Any], folder: Path) -> None:
    """Write the model card of `folder`, replaced atomically.

    Parameters
    ----------
    card : mapping
        As JSON.
    folder : Path
        Must exist.
    """
    part = folder / (CARD_FILE + ".part")
    part.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(folder / CARD_FILE)


def read_card(folder: Path) -> dict[str, Any]:
    """Read the model card of `folder`.

    Returns
    -------
    dict
        With ``kind`` and ``files`` in any case.

    Raises
    ------
    InputError
        If it is absent, broken, or lacks its id, its files or the end of its training period.
    """
    path = folder / CARD_FILE
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "kind" not in card:
            card |= {"kind": _FIRST_KIND, "files": {_ITS_FILE: card["weights_sha256"]}}
        str(card["model_id"]), str(card["kind"]), np.datetime64(card["period"][1])
        names = list(dict(card["files"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(str(path), repr(error), "a model card with model_id, kind, files and period") from error
    if wrong := [name for name in names if not _FILE_NAME.fullmatch(name) or name == CARD_FILE]:
        raise InputError(f"{path}: files", wrong, "names of files in this folder")
    return card


def load(folder: Path) -> tuple[KeptModel, dict[str, Any]]:
    """Read a model and its card from `folder`.

    Returns
    -------
    model : KeptModel
        Ready to predict.
    card : dict

    Raises
    ------
    InputError
        If a file is absent or broken or not the one that the card names, or the kind is not installed.
    """
    card = read_card(folder)
    for name, expected in card["files"].items():
        path = folder / name
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(str(path), error, "a file of this model") from error
        if found != expected:
            raise InputError(str(path), f"SHA-256 {found}", f"{expected}, as the card says")
    try:
        kind = model_class(str(card["kind"]))
    except UnknownError as error:
        raise UnknownError(f"{folder / CARD_FILE}: kind", error.found, error.expected) from error
    model: KeptModel = kind.load(folder, card)
    return model, card


def copy(source: Path, target: Path, extra: Mapping[str, Any]) -> None:
    """Copy a checkpoint into an existing folder.

    Parameters
    ----------
    source, target : Path
    extra : mapping
        Put into the copy's card.

    Raises
    ------
    InputError
        If the card of `source` is broken.
    """
    card = read_card(source)
    for name in card["files"]:
        shutil.copyfile(source / name, target / name)
    write_card(card | dict(extra), target)


def code_version() -> dict[str, str]:
    """Return what a checkpoint was made with: Hazecast, the digest of its models, and the installed libraries."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    libraries = {name: found for name in _LIBRARIES if (found := _version(name)) is not None}
    return {
        "hazecast": _version("hazecast") or "not installed",
        "models_sha256": digest.hexdigest()[:16],
        **libraries,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
