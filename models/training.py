"""Training the network, and the model that wraps it."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from grids.contract import QUANTILES
from models.interface import OBSERVED, TARGETS, Prediction, Windows, WindowSet
from models.network import Network, decode_concentration, encode_concentration

# ug m-3: brings the squared error of the mean, PM2.5 and O3, to the size of the pinball loss.
_MEAN_SCALE = torch.tensor([80.0, 50.0])
_PREDICT_BATCH = 512


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained; the seed fixes the result on one machine."""

    windows: int = 330_000
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    hidden: int = 96
    seed: int = 20130112


class NetworkModel:
    """The network behind the model interface.

    Parameters
    ----------
    settings : TrainingSettings, optional
    network : Network, optional
        A trained network, as a checkpoint gives it.
    """

    name = "network"

    def __init__(self, settings: TrainingSettings | None = None, network: Network | None = None) -> None:
        self.settings = settings or TrainingSettings()
        self.network = network

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Train on `train` with random gaps; the weights kept are a moving average."""
        self.network = train_network(train, self.settings, progress=progress)

    def predict(self, windows: Windows) -> Prediction:
        """Forecast every window.

        Raises
        ------
        RuntimeError
            If the network was neither trained nor loaded.
        """
        if self.network is None:
            raise RuntimeError("the network has no weights: fit it or load a checkpoint")
        self.network.eval()
        quantiles, means = [], []
        with torch.inference_mode():
            for start in range(0, len(windows), _PREDICT_BATCH):
                z, mean = self.network(windows.rows(slice(start, start + _PREDICT_BATCH)))
                quantiles.append(decode_concentration(z).clamp(min=0.0).numpy())
                means.append(mean.numpy())
        return Prediction(np.concatenate(quantiles), np.concatenate(means))


def train_network(train: WindowSet, settings: TrainingSettings, *, progress: bool = False) -> Network:
    """Train a new network.

    Parameters
    ----------
    train : WindowSet
    settings : TrainingSettings
    progress : bool
        Show a bar with the running loss.

    Returns
    -------
    Network
        The exponential moving average of the weights (decay 0.998).
    """
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    network = Network(settings.hidden)
    _mark_seen(network, train)
    average = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = max(settings.windows // settings.batch, 10)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=steps)
    bar = tqdm(range(steps), desc="training", unit="batch", disable=not progress)
    for step in bar:
        rows = random.integers(0, len(train), settings.batch)
        windows = with_gaps(train.batch(rows, future_weather=True), random)
        loss = _loss(network, windows)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        decay = min(0.998, step / (step + 10))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        if step % 20 == 0:
            bar.set_postfix(loss=f"{loss.item():.4f}")
    return average


def _mark_seen(network: Network, train: WindowSet) -> None:
    network.seen_weather.copy_(
        torch.from_numpy(np.any([np.isfinite(s.weather).any(axis=(0, 1)) for s in train.series], axis=0))
    )
    network.seen_observed.copy_(
        torch.from_numpy(np.any([np.isfinite(s.observations).any(axis=(0, 1)) for s in train.series], axis=0))
    )


def _loss(network: Network, windows: Windows) -> Tensor:
    assert windows.target is not None
    quantiles, mean = network(windows)
    target = torch.from_numpy(windows.target)
    valid = torch.isfinite(target)
    z = encode_concentration(torch.nan_to_num(target, nan=0.0), TARGETS)
    error = z[..., None] - quantiles
    levels = torch.tensor(QUANTILES)
    pinball = torch.maximum(levels * error, (levels - 1) * error).mean(dim=-1)
    squared = ((mean - torch.nan_to_num(target, nan=0.0)) / _MEAN_SCALE).clamp(-8, 8) ** 2
    loss: Tensor = ((2.0 * pinball + 0.5 * squared) * valid).sum() / valid.sum().clamp(min=1)
    return loss


def with_gaps(windows: Windows, random: np.random.Generator) -> Windows:
    """Return `windows` with inputs taken away at random, as stations and weather fail in service.

    Half of the windows lose all future weather, so that one network serves both cases.
    """
    n = len(windows)
    observed = windows.history_obs.copy()
    past, coming = windows.history_weather.copy(), windows.future_weather.copy()
    coming[random.random(n) < 0.5] = np.nan
    no_weather = random.random(n) < 0.05
    past[no_weather] = coming[no_weather] = np.nan
    for variable in range(past.shape[-1]):
        gone = random.random(n) < 0.05
        past[gone, :, variable] = coming[gone, :, variable] = np.nan
    for pollutant in range(len(OBSERVED)):
        gone = random.random(n) < (0.05 if pollutant in TARGETS else 0.3)
        observed[gone, :, pollutant] = np.nan
    for row in np.flatnonzero(random.random(n) < 0.1):
        observed[row, -int(random.integers(1, 25)) :] = np.nan
    return dataclasses.replace(windows, history_obs=observed, history_weather=past, future_weather=coming)


def count_parameters(network: Network) -> int:
    """Return the number of trained parameters."""
    return sum(int(p.numel()) for p in network.parameters())
