"""The models that Hazecast knows by name, and the trained one that ships with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grids.errors import InputError
from models.baselines import Climatology, DiurnalPersistence, Persistence
from models.checkpoint import load
from models.interface import Model
from models.recurrent import GraphModel, GRUModel
from models.tabular import RidgeModel, TreesModel
from models.training import NetworkModel

SHIPPED = Path(__file__).parent / "weights"

_FACTORIES: dict[str, Callable[[], Model]] = {
    Persistence.name: Persistence,
    DiurnalPersistence.name: DiurnalPersistence,
    Climatology.name: Climatology,
    RidgeModel.name: RidgeModel,
    TreesModel.name: TreesModel,
    GRUModel.name: GRUModel,
    GraphModel.name: GraphModel,
    NetworkModel.name: NetworkModel,
}


def model_names() -> list[str]:
    """Return the names that `create` knows."""
    return sorted(_FACTORIES)


def create(name: str) -> Model:
    """Return a new, untrained model.

    Raises
    ------
    InputError
        If no model has this name.
    """
    if name not in _FACTORIES:
        raise InputError("model", name, f"one of {model_names()}")
    return _FACTORIES[name]()


def load_trained(folder: Path = SHIPPED) -> tuple[NetworkModel, str]:
    """Return a trained network and its model id; by default the one shipped with Hazecast."""
    network, card = load(folder)
    return NetworkModel(network=network), str(card["model_id"])
