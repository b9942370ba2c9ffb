"""Trained models on disk: their cards, those that came with Hazecast, and what each has seen."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hazecast.grids.errors import InputError
from hazecast.models import checkpoint
from hazecast.models.files import CARD_FILE
from hazecast.models.interface import KeptModel

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class TrainedModel:
    """A trained model on disk: its id, folder and card; `shipped` if it came with Hazecast.

    Examples
    --------
    >>> model = shipped_models()[0]
    >>> model.kind, str(model.trained_until)[:10]
    ('network', '2020-12-31')
    """

    model_id: str
    folder: Path
    card: dict[str, Any]
    shipped: bool

    @property
    def trained_until(self) -> np.datetime64:
        """The newest hour that the training read, UTC."""
        return np.datetime64(self.card["period"][1], "ns")

    @property
    def kind(self) -> str:
        """The name of the entry point that loads it."""
        return str(self.card["kind"])

    def load(self) -> KeptModel:
        """Return the model, ready to predict.

        Raises
        ------
        InputError
            If its files are broken, or its kind is not installed.
        """
        model, _ = checkpoint.load(self.folder)
        return model


def models_in(folder: Path, *, shipped: bool = False) -> list[TrainedModel]:
    """Return the trained models in the folders of `folder`, the newest training period first.

    A folder whose model card is broken is left out with a warning in the log: one bad model keeps no other
    from serving.

    Parameters
    ----------
    folder : Path
        With a folder for each model, named by its id.
    shipped : bool
        Whether these came with Hazecast.

    Returns
    -------
    list of TrainedModel
    """
    found = []
    for path in sorted(folder.glob(f"*/{CARD_FILE}")):
        if path.parent.name.startswith("."):
            continue
        try:
            found.append(model_in(path.parent, shipped))
        except InputError as error:
            log.warning("model left out: %s", error)
    return sorted(found, key=lambda model: (model.trained_until, model.model_id), reverse=True)


def model_in(folder: Path, shipped: bool) -> TrainedModel:
    """Return the trained model in a folder.

    Parameters
    ----------
    folder : Path
        Named by the model's id.
    shipped : bool
        Whether it came with Hazecast.

    Returns
    -------
    TrainedModel

    Raises
    ------
    InputError
        If its card is broken, or of another id.
    """
    card = checkpoint.read_card(folder)
    if card["model_id"] != folder.name:
        raise InputError(f"{folder}: model_id", card["model_id"], f"{folder.name}, the name of its folder")
    return TrainedModel(str(card["model_id"]), folder, card, shipped)


def shipped_models() -> list[TrainedModel]:
    """Return the models that came with Hazecast, the newest training period first."""
    return models_in(SHIPPED, shipped=True)


def newest_shipped() -> TrainedModel:
    """Return the shipped model with the newest training period.

    Raises
    ------
    InputError
        If the cards of all are gone or broken.
    """
    found = shipped_models()
    if not found:
        raise InputError(str(SHIPPED), "no model whose card can be read", "the models that came with Hazecast")
    return found[0]


def newest_unseen(
    models: Sequence[TrainedModel], collection: str, places: Collection[str], time: np.datetime64
) -> TrainedModel | None:
    """Return the model with the newest training that has not seen places of a collection after a time.

    Parameters
    ----------
    models : sequence of TrainedModel
    collection : str
        Name of the collection's folder.
    places : collection of str
        Of the collection, those that matter.
    time : datetime64
        UTC.

    Returns
    -------
    TrainedModel or None
    """
    found = [model for model in models if unseen(model, collection, places, time)]
    return max(found, key=lambda model: model.trained_until, default=None)


def unseen(model: TrainedModel, collection: str, places: Collection[str], time: np.datetime64) -> bool:
    """Return whether a model has not seen places of a collection after a time.

    Parameters
    ----------
    model : TrainedModel
    collection : str
        Name of the collection's folder.
    places : collection of str
        Of the collection, those that matter.
    time : datetime64
        UTC.

    Returns
    -------
    bool
    """
    if model.trained_until <= time:
        return True
    periods: dict[str, list[str]] = model.card.get("periods", {})
    left_out = not set(places) & set(model.card.get("places", places))
    if collection in periods:
        return bool(np.datetime64(periods[collection][1]) <= time) or left_out
    # Another collection: its places must be others.
    return bool(periods) and left_out
