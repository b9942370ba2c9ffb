"""Training of the network: its loss, what is done to its batches, and its calibration on held-back windows."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.models.calibration import calibrated_over
from hazecast.models.disturbance import disturb_by
from hazecast.models.events import EventDecision
from hazecast.models.interface import OBSERVED, TARGETS, WEATHER_NAMES, Windows, WindowSet
from hazecast.models.scaling import decode_concentration, encode_concentration
from hazecast.models.training.loop import LoopSettings, Run, train_loop
from hazecast.models.training.tuning import init_times, sample_times, split
from hazecast.models.zoo.network import BLIND, INFORMED, Network

log = logging.getLogger(__name__)

# ug m-3: brings the squared error of the mean, PM2.5 and O3, to the size of the pinball loss.
_MEAN_SCALE = torch.tensor([80.0, 50.0])
_BATCH = 512
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


def fit_network(train: WindowSet, settings: TrainingSettings, run: Run, *, progress: bool = False) -> Network:
    """Train a network on all of `train`, after a first training that shows how to calibrate it.

    The first training, half as long, leaves the newest windows out; on them its intervals are calibrated and
    the probabilities chosen from which an event is called. The second learns from all.

    Parameters
    ----------
    train : WindowSet
    settings : TrainingSettings
    run : Run
    progress : bool
        Show a bar.

    Returns
    -------
    Network
        With its calibration; uncalibrated where the period is too short to hold windows back.
    """
    calibration = _calibration(train, settings, run, progress)
    network = train_network(train, settings, run, progress=progress)
    if calibration is not None:
        network.offsets, network.shifts, network.event_limits = calibration
    return network


def _calibration(
    train: WindowSet, settings: TrainingSettings, run: Run, progress: bool
) -> tuple[Tensor, Tensor, Tensor] | None:
    try:
        early, late = split(train)
    except InputError as error:
        log.warning("no windows held back for calibration: %s", error)
        return None
    short = dataclasses.replace(settings, windows=settings.windows // 2)
    first = train_network(early, short, _stage(run, "first"), progress=progress)
    return calibrate(first, sample_times(late, _TUNING_TIMES, settings.seed))


def _stage(run: Run, name: str) -> Run:
    if run.state is None:
        return run
    return dataclasses.replace(run, state=run.state.with_name(f"{run.state.stem}.{name}{run.state.suffix}"))


def state_files(run: Run) -> list[Path]:
    """Return the files that `fit_network` keeps its state in."""
    return [stage.state for stage in (run, _stage(run, "first")) if stage.state is not None]


def calibrate(network: Network, windows: WindowSet) -> tuple[Tensor, Tensor, Tensor]:
    """Learn intervals and event decisions on windows that the network was not trained on.

    Parameters
    ----------
    network : Network
    windows : WindowSet
        None of which it was trained on.

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
        for start in range(0, len(order), _BATCH):
            batch = windows.batch(order[start : start + _BATCH], future_weather=mode == INFORMED)
            assert batch.target is not None
            with torch.inference_mode():
                z, expected = network.forecast(batch, informed=mode == INFORMED)
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

    Parameters
    ----------
    train : WindowSet
    settings : TrainingSettings
    run : Run, optional
        By default on the CPU, without a state file.
    progress : bool
        Show a bar.

    Returns
    -------
    Network
        The moving average of the weights, on the CPU.
    """
    torch.manual_seed(settings.seed)
    network = Network(settings.hidden, settings.blind_hidden, settings.members, settings.context, settings.dropout)
    _mark_seen(network, train)
    trained = train_loop(network, network_loss, train, settings, run or Run(), augment=with_gaps, progress=progress)
    assert isinstance(trained, Network)
    return trained


def _mark_seen(network: Network, train: WindowSet) -> None:
    network.seen_weather.copy_(
        torch.from_numpy(np.any([np.isfinite(s.weather).any(axis=(0, 1)) for s in train.series], axis=0))
    )
    network.seen_observed.copy_(
        torch.from_numpy(np.any([np.isfinite(s.observations).any(axis=(0, 1)) for s in train.series], axis=0))
    )


def network_loss(network: nn.Module, windows: Windows) -> Tensor:
    """Return the loss of a network: pinball loss of the quantiles and scaled squared error of the mean.

    Parameters
    ----------
    network : nn.Module
        A `Network`, or a replica of one.
    windows : Windows
        With targets; missing ones do not count.

    Returns
    -------
    Tensor ()
    """
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
    """Return `windows` with inputs removed and blurred at random, as stations and weather fail in service.

    Parameters
    ----------
    windows : Windows
    random : numpy.random.Generator

    Returns
    -------
    Windows
    """
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
