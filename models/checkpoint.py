"""Checkpoints: weights as safetensors beside a model card as JSON; loading runs no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from grids.errors import InputError
from models.network import Network

WEIGHTS_FILE = "network.safetensors"
CARD_FILE = "model_card.json"
# More would be a damaged card, and exhaust the memory.
_WIDEST = 4_096


def save(network: Network, card: dict[str, Any], folder: Path) -> None:
    """Write weights and card into `folder`, each replaced whole.

    Parameters
    ----------
    network : Network
    card : dict
        At least ``model_id``, ``trained_on``, ``period``, ``seed``; ``hidden`` is added.
    folder : Path
        Made if absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / (WEIGHTS_FILE + ".part")
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, weights)
    weights.replace(folder / WEIGHTS_FILE)
    text = json.dumps({**card, "hidden": network.hidden}, indent=2, ensure_ascii=False)
    part = folder / (CARD_FILE + ".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(folder / CARD_FILE)


def load(folder: Path) -> tuple[Network, dict[str, Any]]:
    """Read weights and card from `folder`.

    Raises
    ------
    InputError
        If a file is absent or broken, or the weights don't fit the network.
    """
    card_path, weights_path = folder / CARD_FILE, folder / WEIGHTS_FILE
    try:
        card: dict[str, Any] = json.loads(card_path.read_text(encoding="utf-8"))
        hidden = int(card["hidden"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(str(card_path), error, "a model card with the field hidden") from error
    if not 1 <= hidden <= _WIDEST:
        raise InputError(f"{card_path}: hidden", hidden, f"1 to {_WIDEST} units")
    network = Network(hidden)
    try:
        network.load_state_dict(load_file(weights_path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(str(weights_path), error, "the weights of this network") from error
    network.eval()
    return network, card
