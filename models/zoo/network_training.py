"""Training of the network: its loss, what is done to its batches, and its calibration on held-back windows."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import torch
from torch import Tensor, nn

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.models.events import LEAD_GROUPS, EventDecision
from hazecast.models.scaling import decode_concentration, encode_concentration
from hazecast.models.series import OBSERVED, TARGETS, WEATHER_NAMES, Windows, WindowSet
from hazecast.models.training.loop import LoopSettings, Run, train_loop
from hazecast.models.training.tuning import conformal_offsets, hold_back, sample_windows, subset
from hazecast.models.windows import balanced
from hazecast.models.zoo.network import BLIND, INFORMED, Network
from hazecast.models.zoo.network_inputs import level_and_spread

log = logging.getLogger(__name__)

_WIND_JITTER = 0.15
# Weight of the first lead time beside that of the later ones.
_FIRST_HOURS = 3.0
_BATCH = 512
_TUNING_WINDOWS = 6_000
_FEWEST_ERRORS = 500
# Days by which the season a window seems to be in is moved at random (standard deviation): with few
# years to learn from, the exact date would only name the episode to remember.
_SEASON_JITTER = 17.0
# Standard deviation of the error added to all hours of a window's future weather, in its units, and of the logarithm
# of a factor of its wind: a grid is no station.
_WEATHER_JITTER = np.array(
    [{"t2m": 1.2, "d2m": 1.4, "u10": 0.25, "v10": 0.25, "sp": 100.0}.get(name, 0.0) for name in WEATHER_NAMES],
    np.float32,
)


@dataclasses.dataclass(frozen=True)
class TrainingSettings(LoopSettings):
    """How the network is trained; the seed fixes the result on one machine.

    Attributes
    ----------
    hidden, blind_hidden, members, context, dropout
        As of `hazecast.models.zoo.network.Network`.
    """

    windows: int = 51_200
    batch: int = 128
    weight_decay: float = 1e-2
    hidden: int = 96
    blind_hidden: int = 64
    members: int = 2
    context: int = 48
    dropout: float = 0.3


def fit_network(
    train: WindowSet, settings: TrainingSettings, run: Run, *, progress: bool = False
) -> tuple[Network, WindowSet]:
    """Train a network and calibrate it on blocks of days that are held back, spread over the years.

    Parameters
    ----------
    train : WindowSet
    settings : TrainingSettings
    run : Run
    progress : bool
        Show a bar.

    Returns
    -------
    network : Network
        With its calibration; uncalibrated where the period is too short to hold windows back.
    held : WindowSet
        Windows that it was calibrated on; empty where it wasn't.
    """
    learn, held = hold_back(train)
    if not len(learn) or not len(held):
        log.warning("no windows held back for calibration: the period is too short")
        learn, held = train, subset(train, np.zeros(0, np.int64))
    network = train_network(balanced(learn, settings.seed), settings, run, progress=progress)
    sample = sample_windows(balanced(held, settings.seed), min(_TUNING_WINDOWS, settings.windows), settings.seed)
    if len(sample):
        network.offsets, network.event_limits = calibrate(network, sample)
    return network, sample


def calibrate(network: Network, windows: WindowSet) -> tuple[Tensor, Tensor]:
    """Learn where the quantiles belong and when to call an event, on windows that the network was not trained on.

    Each quantile is moved on the network's scale; see `hazecast.models.training.tuning.conformal_offsets`.

    Parameters
    ----------
    network : Network
    windows : WindowSet
        None of which it was trained on.

    Returns
    -------
    offsets : Tensor (2, lead, 2, 5)
    event_limits : Tensor (2, lead, 6)
        Blind first, informed second.
    """
    found: list[tuple[Tensor, Tensor]] = []
    for mode in (BLIND, INFORMED):
        parts = []
        for start in range(0, len(windows), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(windows)))
            batch = windows.batch(rows, future_weather=mode == INFORMED)
            if mode == INFORMED:
                batch = batch.rows(np.flatnonzero(batch.informed))
            if not len(batch):
                continue
            assert batch.target is not None
            with torch.inference_mode():
                z, _ = network.forecast(batch, informed=mode == INFORMED)
            target, (level, spread) = torch.from_numpy(batch.target), level_and_spread(batch)
            parts.append((z, encode_concentration(target, level, spread), target, level, spread))
        if not parts:
            # No collection has weather: the informed ensemble is untrained, and no window will ask for it.
            found.append((torch.zeros_like(network.offsets[mode]), network.event_limits[mode]))
            continue
        z, wanted, target, level, spread = (torch.cat([part[k] for part in parts]) for k in range(5))
        by_group = conformal_offsets((wanted[..., None] - z).numpy(), LEAD_GROUPS, _FEWEST_ERRORS)
        offsets = torch.from_numpy(np.repeat(by_group, [last - first + 1 for first, last in LEAD_GROUPS], axis=0))
        quantiles = decode_concentration(torch.sort(z + offsets, -1).values, level[..., None], spread[..., None])
        decision = EventDecision()
        decision.fit(quantiles.clamp(min=0.0).numpy(), target.numpy())
        found.append((offsets, torch.from_numpy(decision.limits)))
    return torch.stack([f[0] for f in found]), torch.stack([f[1] for f in found])


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
    known = torch.nan_to_num(target, nan=0.0)
    level, spread = level_and_spread(windows, mean.device)
    error = encode_concentration(known, level, spread)[..., None] - quantiles
    levels = torch.tensor(QUANTILES, device=mean.device)
    pinball = torch.maximum(levels * error, (levels - 1) * error).mean(dim=-1)
    usual = torch.from_numpy(windows.long_level[:, None, list(TARGETS)]).to(mean.device)
    squared = ((mean - known) / usual).clamp(-6, 6) ** 2
    weight = valid * _lead_weight().to(mean.device)[:, None]
    loss: Tensor = ((pinball + squared) * weight).sum() / (len(mean) * weight.sum().clamp(min=1))
    return loss


def _lead_weight() -> Tensor:
    """Return the weight of each lead time, (lead,): errors of the first hours are small and would count for little."""
    hours = torch.arange(LEAD_HOURS, dtype=torch.float32)
    return 1.0 + _FIRST_HOURS * torch.exp(-hours / 4.0)


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
    wind = [WEATHER_NAMES.index(name) for name in ("u10", "v10")]
    stronger = np.exp(random.normal(0.0, _WIND_JITTER, (n, 1, 1))).astype(np.float32)
    coming[..., wind] *= stronger
    area_coming[..., wind] *= stronger
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
