"""Learning in place: the network trained on the installation's own store, and compared with the model in service."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hazecast.grids.errors import InputError
from hazecast.models.gate import Verdict
from hazecast.models.registry import ModelRegistry
from hazecast.models.trained import TrainedModel
from hazecast.models.training.loop import Run
from hazecast.models.zoo.network_training import TrainingSettings
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.research.experiments import train_network
from hazecast.services.research.model_scores import shown_scores
from hazecast.services.research.own_store import NAME, newest_measured, read_store
from hazecast.services.research.promotion import examine
from hazecast.services.store.store import Store

# A quarter of a year of one city, every hour of which is an init time: less is no season.
LEAST_WINDOWS = 2_000
BY = "retrain"


@dataclass(frozen=True)
class Retraining:
    """A model trained on the store, and what became of it.

    Attributes
    ----------
    model : TrainedModel
        Registered.
    windows : int
        How many training windows the store gave.
    verdict : Verdict
        What the gate says of it.
    promoted : bool
    """

    model: TrainedModel
    windows: int
    verdict: Verdict
    promoted: bool

    def __str__(self) -> str:
        """Return what happened in a sentence or two."""
        state = "in service" if self.promoted else "registered, not in service"
        return f"{self.model.model_id}, trained on {self.windows} windows of the store: {state}. It {self.verdict}"


def train_from_store(
    settings: Settings, training: TrainingSettings, *, out: Path, run: Run | None = None, progress: bool = False
) -> tuple[TrainedModel | None, int]:
    """Train the network on the store, but for its newest days, and register it.

    Parameters
    ----------
    settings : Settings
        `learning` says how far back it reads and how many of the newest days it leaves out.
    training : TrainingSettings
    out : Path
        Folder for weights, model card and the state of the training.
    run : Run, optional
        By default on the CPU, its state in `out`.
    progress : bool
        Show a bar.

    Returns
    -------
    model : TrainedModel or None
        Not in service yet. None in the processes of ``torchrun`` that do not write.
    windows : int
        How many windows the store gave.

    Raises
    ------
    InputError
        If the store holds too little, or `out` the state of another training.
    """
    asked = settings.learning
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        store.migrate()
        newest = newest_measured(store)
        until = newest - timedelta(days=asked.retrain_holdout_days)
        data = read_store(settings, store, newest - timedelta(days=asked.retrain_reach_days), until)
    finally:
        store.close()
    train = data.training(until)
    if len(train) < LEAST_WINDOWS:
        raise InputError(
            NAME,
            f"{len(train)} training windows up to {until:%Y-%m-%d}, the newest {asked.retrain_holdout_days} days left out",
            f"{LEAST_WINDOWS}: some three months of one city, or of several together less",
        )
    card = train_network(train, {NAME: until}, out, training, run, progress=progress)
    if card is None:
        return None, len(train)
    return ModelRegistry(settings.models_dir).register(out), len(train)


def retrain(
    settings: Settings, training: TrainingSettings | None = None, *, run: Run | None = None, clock: Clock = utc_now
) -> Retraining:
    """Train a challenger on the store, compare it with the model in service, and promote it if the settings say so.

    Parameters
    ----------
    settings : Settings
    training : TrainingSettings, optional
    run : Run, optional
        By default on a GPU where there is one, without a state file.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    Retraining

    Raises
    ------
    InputError
        If the store holds too little.
    """
    with tempfile.TemporaryDirectory() as folder:
        model, windows = train_from_store(
            settings, training or TrainingSettings(), out=Path(folder), run=run or Run("auto")
        )
    assert model is not None, "a scheduled training is one process"
    registry = ModelRegistry(settings.models_dir)
    verdict, comparison = examine(model, registry.in_service(), settings)
    if comparison is not None:
        registry.register(model.folder, shown_scores(comparison["meta"], comparison["models"][model.model_id]))
    promoted = settings.learning.retrain == "promote" and verdict.passed
    if promoted:
        registry.promote(model.model_id, by=BY, why="scheduled training on the store", at=clock(), verdict=verdict)
    return Retraining(model, windows, verdict, promoted)
