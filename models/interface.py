"""The interface that every forecast model stands behind, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hazecast.models.series import Windows, WindowSet

Float = NDArray[np.float32]

# Hourly concentrations, ug m-3, at which forecasts are scored as events. PM2.5: the upper limits of
# "good" and of light and medium pollution (75, 115, 150) and of heavy pollution (250) in China's
# 24-hour index; O3: the hourly limits of classes 1 and 2. Both: HJ 633-2012 and GB 3095-2012.
EVENTS: tuple[tuple[str, float], ...] = (
    ("pm25", 75.0),
    ("pm25", 115.0),
    ("pm25", 150.0),
    ("pm25", 250.0),
    ("o3", 160.0),
    ("o3", 200.0),
)


@dataclass(frozen=True)
class Prediction:
    """A forecast of PM2.5 and O3.

    Attributes
    ----------
    quantiles : float32 (n, lead, 2, 5)
        ug m-3, in the order of `hazecast.grids.contract.QUANTILES`.
    mean : float32 (n, lead, 2)
        ug m-3.
    events : bool (n, lead, 6), optional
        The model's own decision for each of `EVENTS`: whether it calls it. Without it, an event is
        called where the mean meets the threshold.
    experts : float32 (n, lead, 2, 7), optional
        What a combination was made from, ug m-3; see `hazecast.models.zoo.combined.POINTS`.

    Examples
    --------
    >>> one = Prediction(np.zeros((3, 120, 2, 5), np.float32), np.zeros((3, 120, 2), np.float32))
    >>> Prediction.join([one, one]).mean.shape
    (6, 120, 2)
    """

    quantiles: Float
    mean: Float
    events: NDArray[np.bool_] | None = None
    experts: Float | None = None

    @staticmethod
    def join(parts: Sequence[Prediction]) -> Prediction:
        """Return several forecasts one after the other; each part in all of them, or in none."""
        columns = {name: [getattr(part, name) for part in parts] for name in Prediction.__dataclass_fields__}
        joined: dict[str, Any] = {n: None if c[0] is None else np.concatenate(c) for n, c in columns.items()}
        return Prediction(**joined)


class Model(Protocol):
    """A forecast model: learns from windows and gives quantiles and mean.

    What else it can do it offers by the members of `KeptModel`, `Adaptive`, `TrainedPool`, `EventLimits`, `Familiar`
    or `Described`. A kept model that lacks all but the first serves all the same.
    """

    name: str

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Learn from `train`.

        Parameters
        ----------
        train : WindowSet
        progress : bool
            Show a bar.
        """

    def predict(self, windows: Windows) -> Prediction:
        """Forecast every window; the target in `windows` is never read."""


@runtime_checkable
class KeptModel(Model, Protocol):
    """A model that can be kept in a folder, registered and served; `hazecast.models.zoo.template` is one to copy.

    It is found again by its `name`, which an entry point in the group ``hazecast.models`` declares.
    """

    def save(self, folder: Path) -> dict[str, Any]:
        """Write what the model has learned into files in `folder`.

        Parameters
        ----------
        folder : Path
            An empty folder; files of any name but ``model_card.json``, no folders in it.

        Returns
        -------
        dict
            What `load` needs besides, as JSON: becomes part of the model card.
        """

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Return a model as `save` wrote it; no code may be read from the folder.

        Parameters
        ----------
        folder : Path
        card : dict
            The model card, with what `save` returned.

        Returns
        -------
        KeptModel
            Ready to predict.

        Raises
        ------
        InputError
            If the files are broken.
        """


@runtime_checkable
class Adaptive(Protocol):
    """A model that goes on learning while it forecasts, from verified forecasts."""

    def learn(self, past: Windows, forecast: Prediction) -> None:
        """Learn from what the model itself forecast earlier; called once a day.

        Parameters
        ----------
        past : Windows
            Earlier windows. Of their targets only those are given that were observed since the call
            before; all others are NaN, so that every target is seen exactly once.
        forecast : Prediction
            What `predict` gave for `past`.
        """


@runtime_checkable
class TrainedPool(Protocol):
    """A model that knows from training how its errors compare with those of the other experts.

    Attributes
    ----------
    pool : dict of str to float32
        ``moments`` and ``offsets`` as of the pool in `hazecast.models.combination.State`.
    """

    pool: dict[str, Float]


@runtime_checkable
class Familiar(Protocol):
    """A model that knows what its training saw.

    Attributes
    ----------
    familiar : float32 (2, 6)
        See `hazecast.models.familiarity.training_range`.
    """

    familiar: Float


@runtime_checkable
class EventLimits(Protocol):
    """A model that knows from which probability each event is best called.

    Attributes
    ----------
    event_limits : float32 (2, lead, 6)
        Without weather first, with weather second.
    """

    event_limits: Float


@runtime_checkable
class Described(Protocol):
    """A model that has more to say in its card than where it was trained."""

    def describe(self) -> dict[str, Any]:
        """Return entries for the model card, such as ``architecture``, ``seed`` and ``features``, as JSON."""
