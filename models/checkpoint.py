"""Checkpoints: weights as safetensors beside a model card as JSON; loading runs no code."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors import torch as tensors

from hazecast.grids.errors import InputError
from hazecast.models.zoo.network import Network

WEIGHTS_FILE = "network.safetensors"
CARD_FILE = "model_card.json"
# More would be a damaged card, and exhaust the memory.
_WIDEST = 4_096


def save(network: Network, card: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write weights and card into `folder`, each replaced whole.

    Parameters
    ----------
    network : Network
    card : dict
        ``trained_on``, ``period``, ``features``, ``seed``; ``name`` is the beginning of the model's id.
    folder : Path
        Made if absent.

    Returns
    -------
    dict
        The card with ``model_id`` (which ends in the digest of the weights), ``network`` (what the
        network is built from), ``code_version`` and ``weights_sha256`` added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = tensors.save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    digest = hashlib.sha256(weights).hexdigest()
    card = {
        "model_id": f"{card.get('name', 'network')}-{digest[:8]}",
        **{name: value for name, value in card.items() if name != "name"},
        "network": network.options,
        "code_version": code_version(),
        "weights_sha256": digest,
    }
    _replace(folder / WEIGHTS_FILE, weights)
    write_card(card, folder)
    return card


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Write the model card of `folder`, replaced whole."""
    _replace(folder / CARD_FILE, (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode())


def read_card(folder: Path) -> dict[str, Any]:
    """Read the model card of `folder`.

    Raises
    ------
    InputError
        If it is absent, broken, or lacks its id or the end of its training period.
    """
    path = folder / CARD_FILE
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        str(card["model_id"]), np.datetime64(card["period"][1]), dict(card["network"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(str(path), repr(error), "a model card with model_id, network and period") from error
    return card


def load(folder: Path) -> tuple[Network, dict[str, Any]]:
    """Read weights and card from `folder`.

    Raises
    ------
    InputError
        If a file is absent or broken, the weights are not those of the card, or they don't fit the
        network.
    """
    card, path = read_card(folder), folder / WEIGHTS_FILE
    options = _sound(card["network"], folder / CARD_FILE)
    try:
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != card.get("weights_sha256"):
            raise InputError(str(path), f"SHA-256 {digest}", f"{card.get('weights_sha256')}, as the card says")
        network = Network(**options)
        network.load_state_dict(tensors.load(content))
    except InputError:
        raise
    except (OSError, SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(str(path), error, "the weights of this network") from error
    network.eval()
    return network, card


def _sound(options: dict[str, Any], where: Path) -> dict[str, Any]:
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _WIDEST:
            raise InputError(f"{where}: network.{name}", value, f"a number from 0 to {_WIDEST}")
    return options


def code_version() -> dict[str, str]:
    """Return what a checkpoint was made with: Hazecast, the digest of its models, and the libraries."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    try:
        hazecast = version("hazecast")
    except PackageNotFoundError:
        hazecast = "not installed"
    return {
        "hazecast": hazecast,
        "models_sha256": digest.hexdigest()[:16],
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
