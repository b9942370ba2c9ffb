"""The forecast that the service issues: a model combined on line with the experts anybody has, calibrated by city."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.models.combination import (
    MEAN,
    MEDIAN,
    POOL_HALF_LIFE,
    State,
    Verified,
    bias_correction,
    combining_weights,
    guidance_factor,
    learned,
)
from hazecast.models.events import exceedance
from hazecast.models.experts import EXPERTS, GUIDANCE, LEAD_GROUPS, MODEL, expert_points
from hazecast.models.interface import EventLimits, Float, KeptModel, Model, Prediction, TrainedPool
from hazecast.models.kinds import create, model_class
from hazecast.models.scaling import decode_concentration, encode_concentration
from hazecast.models.series import TARGETS, Windows, WindowSet
from hazecast.models.training.tuning import conformal_offsets

_MIDDLE = QUANTILES.index(0.5)
_BATCH = 512
# Of the reweighting that leads to the least absolute error.
_PASSES = 3
# What is kept of each forecast: the experts' points, and the model's median.
POINTS: tuple[str, ...] = (*EXPERTS, "model_median")


def _between_groups() -> Float:
    """Return the matrix (lead, group) that carries what groups have over to lead times, without steps."""
    centre = np.log([np.sqrt(first * last) for first, last in LEAD_GROUPS])
    lead = np.log(np.arange(1, LEAD_HOURS + 1))
    return np.stack([np.interp(lead, centre, row) for row in np.eye(len(LEAD_GROUPS))], axis=1).astype(np.float32)


_BETWEEN = _between_groups()


class Combined:
    """A model with its experts, its weights and its calibration; see `hazecast.models.combination`.

    Parameters
    ----------
    model : Model, optional
        Trained; by default a network, to be fitted.

    Attributes
    ----------
    state : hazecast.models.combination.State
        What was learned since training; each stored forecast carries it.
    """

    name = "service"

    def __init__(self, model: Model | None = None) -> None:
        self.model = create("network") if model is None else model
        self.state = self._first_state()

    def _first_state(self) -> State:
        return State.empty(self.model.pool if isinstance(self.model, TrainedPool) else None)

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Train the model and forget what was learned in service.

        Parameters
        ----------
        train : WindowSet
        progress : bool
            Show a bar.
        """
        self.model.fit(train, progress=progress)
        self.state = self._first_state()

    def predict(self, windows: Windows) -> Prediction:
        """Forecast every window, with the weights and the calibration of its place."""
        return self.combined(windows, self.model.predict(windows))

    def combined(self, windows: Windows, forecast: Prediction) -> Prediction:
        """Combine the model's own forecast of `windows` with the experts.

        Parameters
        ----------
        windows : Windows
        forecast : Prediction
            What the model gave for `windows`.

        Returns
        -------
        Prediction
            With the points of all experts.
        """
        self.state = self.state.with_places([str(place) for place in np.unique(windows.place)])
        row, mode = self.state.rows(windows.place), windows.informed.astype(np.int64)
        points = expert_points(windows, forecast.mean)
        known = np.isfinite(windows.guidance)
        factor = guidance_factor(self.state)[row][:, None]
        points[..., GUIDANCE] = np.where(known, points[..., GUIDANCE] * factor, points[..., GUIDANCE])
        by_group = combining_weights(self.state, row, mode)
        weights = np.einsum("hg,ngpsk->nhpsk", _BETWEEN, by_group)
        long_level = windows.long_level[:, None, list(TARGETS)]
        bias = np.einsum("hg,ngp->nhp", _BETWEEN, bias_correction(self.state)[row, mode])
        mean = np.maximum(np.einsum("nhpk,nhpk->nhp", weights[..., MEAN, :], points) + bias * long_level, 0.0)
        moves = self.state.offsets[row, mode] + self.state.offsets[0][mode]
        moves = np.einsum("hg,ngpq->nhpq", _BETWEEN, moves)
        quantiles = _moved(windows, forecast.quantiles, points, weights[..., MEDIAN, :], moves)
        events = None
        if isinstance(self.model, EventLimits):
            events = exceedance(quantiles) >= self.model.event_limits[mode]
        kept = np.concatenate([points, forecast.quantiles[..., _MIDDLE, None]], axis=-1)
        return Prediction(quantiles, mean.astype(np.float32), events, kept)

    def learn(self, past: Windows, forecast: Prediction) -> None:
        """Learn from verified forecasts; see `hazecast.models.interface.Adaptive`.

        Parameters
        ----------
        past : Windows
            With the targets observed since the call before; the others NaN.
        forecast : Prediction
            What `predict` gave for `past`.
        """
        self.follow(_lesson(past, forecast))

    def follow(self, forecasts: Verified | Iterable[Verified], days: float = 1.0) -> None:
        """Learn from forecasts as they were issued.

        Parameters
        ----------
        forecasts : Verified or iterable of Verified
        days : float
            Time in which they were verified, in days.
        """
        self.state = learned(self.state, forecasts, days)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the model's files into `folder`; what was learned in service belongs to the forecasts.

        Parameters
        ----------
        folder : Path

        Returns
        -------
        dict
            The model's kind and what it needs besides.
        """
        assert isinstance(self.model, KeptModel)
        return {"combines": self.model.name, **self.model.save(folder)}

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Return the model that `save` wrote.

        Parameters
        ----------
        folder : Path
        card : dict
            The model card.

        Returns
        -------
        Combined
        """
        return cls(model_class(str(card["combines"])).load(folder, card))


@dataclass(frozen=True)
class Reference:
    """What errors of forecasts are measured by.

    Attributes
    ----------
    place : str (n,)
    informed : bool (n,)
        Whether each was given coming weather.
    long_level : float32 (n, 2)
        Of the forecast pollutants; see `hazecast.models.background.Background`.
    guidance : float32 (n, lead, 2)
        ug m-3.
    """

    place: NDArray[np.str_]
    informed: NDArray[np.bool_]
    long_level: Float
    guidance: Float

    @staticmethod
    def of(windows: Windows) -> Reference:
        """Return that of some windows."""
        return Reference(windows.place, windows.informed, windows.long_level[:, list(TARGETS)], windows.guidance)


def verified(reference: Reference, target: Float, quantiles: Float, experts: Float) -> Verified:
    """Compare forecasts with what was observed.

    Parameters
    ----------
    reference : Reference
    target : float32 (n, lead, 2)
        ug m-3; a target that is not known, or was given before, is NaN.
    quantiles : float32 (n, lead, 2, 5)
        As issued, ug m-3.
    experts : float32 (n, lead, 2, 7)
        As `POINTS`, ug m-3.

    Returns
    -------
    Verified
    """
    long_level = reference.long_level[:, None]
    points = experts[..., : len(EXPERTS)]
    middle = points.copy()
    middle[..., MODEL] = experts[..., -1]
    errors = (np.stack([points, middle], axis=-2) - target[..., None, None]) / long_level[..., None, None]
    known = np.isfinite(target)[..., None]
    below = np.where(known, target[..., None] <= quantiles, np.float32(np.nan))
    return Verified(
        reference.place, reference.informed, errors.astype(np.float32), below.astype(np.float32),
        target / long_level, reference.guidance / long_level,
    )  # fmt: skip


def trained_pool(model: Model, windows: WindowSet) -> dict[str, Float]:
    """Compute where a combination with a model begins, from windows that the model was not trained on.

    Parameters
    ----------
    model : Model
    windows : WindowSet

    Returns
    -------
    dict of str to float32
        ``moments`` and ``offsets`` of `hazecast.models.interface.TrainedPool`.
    """
    service = Combined(model)
    service.state = State.empty(lasting=0.0)
    parts: list[tuple[Windows, Prediction]] = []
    for informed in (False, True):
        for start in range(0, len(windows), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(windows)))
            batch = windows.batch(rows, future_weather=informed)
            batch = batch.rows(np.flatnonzero(batch.informed == informed))
            if len(batch):
                parts.append((batch, model.predict(batch)))
    for _ in range(_PASSES):
        service.follow([_lesson(batch, service.combined(batch, forecast)) for batch, forecast in parts], POOL_HALF_LIFE)
        moments = service.state.moments[0]
        service.state = State.empty({"moments": moments}, lasting=0.0)
    errors = []
    for batch, forecast in parts:
        assert batch.target is not None
        issued, observed = (
            _encoded(a, *_scale(batch)) for a in (service.combined(batch, forecast).quantiles, batch.target[..., None])
        )
        errors.append(observed - issued)
    informed_too = np.concatenate([batch.informed for batch, _ in parts])
    found = np.concatenate(errors)
    offsets = [conformal_offsets(found[informed_too == mode], LEAD_GROUPS, 1) for mode in (False, True)]
    return {"moments": moments, "offsets": np.stack(offsets)}


def _lesson(windows: Windows, forecast: Prediction) -> Verified:
    assert windows.target is not None and forecast.experts is not None
    return verified(Reference.of(windows), windows.target, forecast.quantiles, forecast.experts)


def _scale(windows: Windows) -> tuple[Float, Float]:
    """Return level and spread of the forecast pollutants as they go with (n, lead, 2, k)."""
    return windows.level[:, None, list(TARGETS), None], windows.spread[:, None, list(TARGETS), None]


def _moved(windows: Windows, quantiles: Float, points: Float, weights: Float, moves: Float) -> Float:
    """Return the model's quantiles around the combination's median, each moved by its calibration."""
    level, spread = _scale(windows)
    middle = points.copy()
    middle[..., MODEL] = quantiles[..., _MIDDLE]
    logs = _encoded(quantiles, level, spread)
    median = _encoded(np.einsum("nhpk,nhpk->nhp", weights, middle)[..., None], level, spread)
    moved = np.sort(logs + (median - logs[..., _MIDDLE, None]) + moves, axis=-1)
    decoded = decode_concentration(*(torch.from_numpy(np.asarray(a, np.float32)) for a in (moved, level, spread)))
    return np.asarray(decoded.clamp(min=0.0).numpy(), np.float32)


def _encoded(value: Float, level: Float, spread: Float) -> NDArray[np.float32]:
    return encode_concentration(
        *(torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (value, level, spread))
    ).numpy()
