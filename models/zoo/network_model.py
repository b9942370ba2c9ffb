"""Training the network, and the model that wraps it."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.models.attribution import from_elsewhere
from hazecast.models.calibration import RollingCalibration, calibrated_over
from hazecast.models.disturbance import disturb_by
from hazecast.models.events import EventDecision, exceedance
from hazecast.models.interface import EVENTS, OBSERVED, TARGETS, WEATHER_NAMES, Float, Prediction, Windows, WindowSet
from hazecast.models.training.loop import LoopSettings, Run, train_loop
from hazecast.models.training.tuning import init_times, sample_times, split
from hazecast.models.zoo.network import Network, decode_concentration, encode_concentration

log = logging.getLogger(__name__)

BLIND, INFORMED = 0, 1

# ug m-3: brings the squared error of the mean, PM2.5 and O3, to the size of the pinball loss.
_MEAN_SCALE = torch.tensor([80.0, 50.0])
_PREDICT_BATCH = 512
_TUNING_TIMES = 700
# Days by which the season a window seems to be in is moved at random (standard deviation): with few
# years to learn from, the exact date would only name the episode to remember.
_SEASON_JITTER = 17.0
# Standard deviation of the error added to all hours of a window's future weather, in its units.
_WEATHER_JITTER = np.array(
    [{"t2m": 1.2, "d2m": 1.4, "u10": 0.25, "v10": 0.25, "sp": 100.0}.get(name, 0.0) for name in WEATHER_NAMES],
    np.float32,
)
# Share of the training windows whose weather errs as a forecast's, and the range of the errors' size.
_ERRING = 0.4
_ERROR_SIZES = (0.3, 1.5)


@dataclasses.dataclass(frozen=True)
class TrainingSettings(LoopSettings):
    """How the network is trained; the seed fixes the result on one machine.

    Attributes
    ----------
    hidden, blind_hidden, members, context, dropout
        As of `hazecast.models.zoo.network.Network`.
    """

    windows: int = 80_000
    batch: int = 128
    weight_decay: float = 1e-2
    hidden: int = 96
    blind_hidden: int = 64
    members: int = 3
    context: int = 48
    dropout: float = 0.3


class NetworkModel:
    """The network behind the model interface, with its rolling calibration.

    Parameters
    ----------
    settings : TrainingSettings, optional
    network : Network, optional
        A trained network, as a checkpoint gives it.
    run : Run, optional
        Device, precision and state file of the training.
    """

    name = "network"

    def __init__(
        self, settings: TrainingSettings | None = None, network: Network | None = None, run: Run | None = None
    ) -> None:
        self.settings = settings or TrainingSettings()
        self.run = run or Run()
        self.network: Network | None = None
        self._rolling: list[RollingCalibration] = []
        if network is not None:
            self._take(network)

    def _take(self, network: Network) -> None:
        self.network = network.eval()
        self._rolling = [
            RollingCalibration(network.offsets[mode].numpy(), network.shifts[mode].numpy())
            for mode in (BLIND, INFORMED)
        ]

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Train on all of `train`, after a first training that shows how to calibrate.

        The first, half as long, leaves the newest windows out; on them its intervals are calibrated and
        the probabilities chosen from which an event is called. The second learns from all.
        """
        calibration = self._calibration(train, progress)
        network = train_network(train, self.settings, self.run, progress=progress)
        if calibration is not None:
            network.offsets, network.shifts, network.event_limits = calibration
        self._take(network)

    def _calibration(self, train: WindowSet, progress: bool) -> tuple[Tensor, Tensor, Tensor] | None:
        try:
            early, late = split(train)
        except InputError as error:
            log.warning("no windows held back for calibration: %s", error)
            return None
        short = dataclasses.replace(self.settings, windows=self.settings.windows // 2)
        first = train_network(early, short, _stage(self.run, "first"), progress=progress)
        return calibrate(first, sample_times(late, _TUNING_TIMES, self.settings.seed))

    def predict(self, windows: Windows) -> Prediction:
        """Forecast every window: with any future weather by the informed ensemble, else by the blind one.

        Raises
        ------
        RuntimeError
            If the network was neither trained nor loaded.
        """
        if self.network is None:
            raise RuntimeError("the network has no weights: fit it or load a checkpoint")
        shape = (len(windows), LEAD_HOURS)
        quantiles = np.empty((*shape, len(TARGETS), len(QUANTILES)), np.float32)
        mean = np.empty((*shape, len(TARGETS)), np.float32)
        events = np.empty((*shape, len(EVENTS)), bool)
        for mode, rows in _by_mode(informed(windows)):
            for start in range(0, len(rows), _PREDICT_BATCH):
                some = rows[start : start + _PREDICT_BATCH]
                z, expected = _forecast(self.network, windows.rows(some), mode)
                quantiles[some], mean[some] = self._rolling[mode].apply(z, expected)
            events[rows] = exceedance(quantiles[rows]) >= self.network.event_limits[mode].numpy()
        return Prediction(quantiles, mean, events)

    def from_elsewhere(self, windows: Windows) -> Float:
        """Return the PM2.5 laid to the direction of the wind, (member, n, lead); see `hazecast.models.attribution`.

        Raises
        ------
        RuntimeError
            If the network was neither trained nor loaded.
        """
        if self.network is None:
            raise RuntimeError("the network has no weights: fit it or load a checkpoint")
        network = self.network

        def expected(some: Windows) -> Float:
            with torch.inference_mode():
                return np.asarray(network.members_mean(some, informed=True)[..., 0].numpy(), np.float32)

        return from_elsewhere(expected, windows)

    def learn(self, past: Windows, forecast: Prediction) -> None:
        """Follow the errors of forecasts that have come true; see `hazecast.models.interface.Adaptive`."""
        assert past.target is not None
        self.follow(informed(past), past.target, forecast.quantiles, forecast.mean)

    def follow(self, given: NDArray[np.bool_], target: Float, quantiles: Float, mean: Float, days: float = 1.0) -> None:
        """Follow the errors of forecasts as they were issued.

        Parameters
        ----------
        given : bool (n,)
            Whether each was informed of the coming weather.
        target, mean : float32 (n, lead, 2)
            ug m-3; a target that isn't known, or was shown before, is NaN.
        quantiles : float32 (n, lead, 2, 5)
        days : float
            Time in which the targets became known, in days.
        """
        for mode, rows in _by_mode(given):
            self._rolling[mode].learn(target[rows], quantiles[rows], mean[rows], days)

    @property
    def calibration(self) -> tuple[Float, Float]:
        """Offsets (2, lead, 2, 5) and shifts (2, lead, 2) as they stand; blind first, informed second."""
        return np.stack([r.offsets for r in self._rolling]), np.stack([r.shifts for r in self._rolling])

    @calibration.setter
    def calibration(self, state: tuple[Float, Float]) -> None:
        self._rolling = [RollingCalibration(state[0][mode], state[1][mode]) for mode in (BLIND, INFORMED)]


def informed(windows: Windows) -> NDArray[np.bool_]:
    """Return bool (n,): whether a window holds any weather of its lead times."""
    given = [np.isfinite(w).any(axis=(1, 2)) for w in (windows.future_weather, windows.area_future_weather)]
    return np.asarray(given[0] | given[1])


def _by_mode(given: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.int64]]]:
    found = [(BLIND, np.flatnonzero(~given)), (INFORMED, np.flatnonzero(given))]
    return [(mode, rows) for mode, rows in found if len(rows)]


def _forecast(network: Network, windows: Windows, mode: int) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        return network.forecast(windows, informed=mode == INFORMED)


def _stage(run: Run, name: str) -> Run:
    if run.state is None:
        return run
    return dataclasses.replace(run, state=run.state.with_name(f"{run.state.stem}.{name}{run.state.suffix}"))


def state_files(run: Run) -> list[Path]:
    """Return the files that `NetworkModel.fit` keeps its state in."""
    return [stage.state for stage in (run, _stage(run, "first")) if stage.state is not None]


def calibrate(network: Network, windows: WindowSet) -> tuple[Tensor, Tensor, Tensor]:
    """Learn intervals and event decisions on windows that the network was not trained on.

    Returns
    -------
    offsets : Tensor (2, lead, 2, 5)
    shifts : Tensor (2, lead, 2)
    event_limits : Tensor (2, lead, 6)
        Blind first, informed second.
    """
    times = init_times(windows)
    order = np.argsort(times, kind="stable")
    days = times[order].astype("datetime64[D]").astype(np.int64)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for mode in (BLIND, INFORMED):
        parts = []
        for start in range(0, len(order), _PREDICT_BATCH):
            batch = windows.batch(order[start : start + _PREDICT_BATCH], future_weather=mode == INFORMED)
            assert batch.target is not None
            z, expected = _forecast(network, batch, mode)
            parts.append((batch.target, decode_concentration(z).clamp(min=0.0).numpy(), expected.numpy()))
        target, quantiles, mean = (np.concatenate([part[k] for part in parts]) for k in range(3))
        rolling, calibrated = calibrated_over(target, quantiles, mean, days)
        decision = EventDecision()
        decision.fit(calibrated, target)
        found.append(tuple(torch.from_numpy(a) for a in (rolling.offsets, rolling.shifts, decision.limits)))  # type: ignore[arg-type]
    return torch.stack([f[0] for f in found]), torch.stack([f[1] for f in found]), torch.stack([f[2] for f in found])


def train_network(
    train: WindowSet, settings: TrainingSettings, run: Run | None = None, *, progress: bool = False
) -> Network:
    """Train a new network; see `hazecast.models.training.loop.train_loop`.

    Returns
    -------
    Network
        The moving average of the weights, on the CPU.
    """
    torch.manual_seed(settings.seed)
    network = Network(settings.hidden, settings.blind_hidden, settings.members, settings.context, settings.dropout)
    _mark_seen(network, train)
    trained = train_loop(network, _loss, train, settings, run or Run(), augment=with_gaps, progress=progress)
    assert isinstance(trained, Network)
    return trained


def _mark_seen(network: Network, train: WindowSet) -> None:
    network.seen_weather.copy_(
        torch.from_numpy(np.any([np.isfinite(s.weather).any(axis=(0, 1)) for s in train.series], axis=0))
    )
    network.seen_observed.copy_(
        torch.from_numpy(np.any([np.isfinite(s.observations).any(axis=(0, 1)) for s in train.series], axis=0))
    )


def _loss(network: nn.Module, windows: Windows) -> Tensor:
    assert windows.target is not None
    quantiles, mean = network(windows)
    target = torch.from_numpy(windows.target).to(mean.device)
    valid = torch.isfinite(target)
    z = encode_concentration(torch.nan_to_num(target, nan=0.0), TARGETS)
    error = z[..., None] - quantiles
    levels = torch.tensor(QUANTILES, device=mean.device)
    pinball = torch.maximum(levels * error, (levels - 1) * error).mean(dim=-1)
    squared = ((mean - torch.nan_to_num(target, nan=0.0)) / _MEAN_SCALE.to(mean.device)).clamp(-8, 8) ** 2
    loss: Tensor = ((pinball + squared) * valid).sum() / (len(mean) * valid.sum().clamp(min=1))
    return loss


def with_gaps(windows: Windows, random: np.random.Generator) -> Windows:
    """Return `windows` with inputs taken away and blurred at random, as stations and weather fail in service."""
    n = len(windows)
    size = np.where(random.random(n) < _ERRING, random.uniform(*_ERROR_SIZES, n), 0.0).astype(np.float32)
    windows = disturb_by(windows, size, random)
    own, area = windows.history_obs.copy(), windows.area_obs.copy()
    for pollutant in range(len(OBSERVED)):
        share = 0.05 if pollutant in TARGETS else 0.2
        own[random.random(n) < share, :, pollutant] = np.nan
        area[random.random(n) < share, :, pollutant] = np.nan
    for row in np.flatnonzero(random.random(n) < 0.05):
        own[row, -int(random.integers(1, 25)) :] = np.nan
    past, coming = windows.history_weather.copy(), windows.future_weather.copy()
    area_past, area_coming = windows.area_weather.copy(), windows.area_future_weather.copy()
    coming += (random.normal(size=(n, 1, len(WEATHER_NAMES))) * _WEATHER_JITTER).astype(np.float32)
    for variable in range(len(WEATHER_NAMES)):
        gone = random.random(n) < 0.03
        for weather in (past, coming, area_past, area_coming):
            weather[gone, :, variable] = np.nan
    for row in np.flatnonzero(random.random(n) < 0.05):
        # A weather forecast that ends before the last lead time.
        end = int(random.integers(24, LEAD_HOURS))
        coming[row, end:] = area_coming[row, end:] = np.nan
    days = np.round(random.normal(0.0, _SEASON_JITTER, n)).astype("timedelta64[D]")
    return dataclasses.replace(
        windows,
        history_obs=own,
        area_obs=area,
        history_weather=past,
        future_weather=coming,
        area_weather=area_past,
        area_future_weather=area_coming,
        init_time=windows.init_time + days,
    )


def count_parameters(network: Network) -> int:
    """Return the number of trained parameters."""
    return sum(int(p.numel()) for p in network.parameters())
