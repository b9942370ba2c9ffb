"""Peers that learn from sequences: a plain GRU, and a graph network over the places.

The graph network is in the manner of PM2.5-GNN (Wang et al. 2020, SIGSPATIAL, doi:10.1145/3397536.3422208;
its distance limit from memory, its limit on terrain left out): places are nodes, those within some
distance are joined, messages along an edge know how strongly the wind at its source carries air to
its end, and a GRU takes on what comes in less what goes out, hour by hour. Here an encoder reads
the history too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import torch as tensors
from torch import Tensor, nn
from tqdm import tqdm

from hazecast.grids.contract import FORECAST_POLLUTANTS, HISTORY_HOURS, LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.models.features import CALENDAR, calendar, mean_of
from hazecast.models.files import checked_settings
from hazecast.models.interface import Float
from hazecast.models.series import OBSERVED, TARGETS, WEATHER_NAMES, Windows, WindowSet
from hazecast.models.training.tuning import Peer, init_times

_SEED = 20130112
_POLLUTANTS = len(FORECAST_POLLUTANTS)
_DRIVERS = len(WEATHER_NAMES) + 2
_WAVES = [number for number, name in enumerate(CALENDAR) if name.endswith(("sin", "cos"))]
_PAST_INPUTS = 2 * len(OBSERVED) + 2 * _DRIVERS + len(_WAVES)
_COMING_INPUTS = 2 * _DRIVERS + len(_WAVES) + 1 + 2 * _POLLUTANTS
_U10, _V10 = WEATHER_NAMES.index("u10"), WEATHER_NAMES.index("v10")
_T2M, _D2M = WEATHER_NAMES.index("t2m"), WEATHER_NAMES.index("d2m")
_KM_PER_DEGREE = 111.2
_LARGEST_INPUT = 5.0
_PREDICTED_AT_ONCE = 512
_STATISTICS_FROM = 4_000
_WEIGHTS_FILE = "network.safetensors"


class _Inputs(nn.Module):
    """Windows as scaled tensors, zero and a mask where something is missing."""

    centre: Tensor
    spread: Tensor
    target_centre: Tensor
    target_spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        size = len(OBSERVED) + _DRIVERS
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.register_buffer("target_centre", torch.zeros(_POLLUTANTS))
        self.register_buffer("target_spread", torch.ones(_POLLUTANTS))

    def learn(self, windows: Windows) -> None:
        """Take centre and spread from training windows; what they never hold stays at 0 and 1."""
        assert windows.target is not None
        for values, centre, spread in (
            (_raw(windows.history_obs, windows.history_weather), self.centre, self.spread),
            (windows.target, self.target_centre, self.target_spread),
        ):
            flat = values.reshape(-1, values.shape[-1])
            mean = mean_of(flat, axis=0)
            deviation = np.sqrt(mean_of((flat - mean) ** 2, axis=0))
            centre.copy_(torch.from_numpy(np.nan_to_num(mean)))
            spread.copy_(torch.from_numpy(np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)))

    def past(self, windows: Windows) -> Tensor:
        """Return (n, 72, inputs)."""
        scaled = self._scaled(_raw(windows.history_obs, windows.history_weather), slice(None))
        return torch.cat([scaled, _waves(windows, np.arange(1 - HISTORY_HOURS, 1))], dim=-1)

    def coming(self, windows: Windows) -> Tensor:
        """Return (n, lead, inputs): weather, calendar, lead time, and the last values and same hours observed."""
        n = len(windows)
        hours = np.arange(1, LEAD_HOURS + 1)
        weather = self._scaled(_drivers(windows.future_weather), slice(len(OBSERVED), None))
        lead = torch.from_numpy(hours.astype(np.float32) / LEAD_HOURS).expand(n, -1)[..., None]
        logs = _logs(windows.history_obs)[..., list(TARGETS)]
        days = mean_of(logs.reshape(n, -1, 24, _POLLUTANTS))[:, (hours - 1) % 24]
        recent = np.broadcast_to(mean_of(logs[:, -3:])[:, None], days.shape)
        centre, spread = self.centre[list(TARGETS)], self.spread[list(TARGETS)]
        known = [
            torch.nan_to_num((torch.from_numpy(np.ascontiguousarray(a)) - centre) / spread) for a in (days, recent)
        ]
        return torch.cat([weather, _waves(windows, hours), lead, *known], dim=-1)

    def concentration(self, out: Tensor) -> Tensor:
        """Take outputs to ug m-3."""
        return out * self.target_spread + self.target_centre

    def _scaled(self, values: Float, which: slice) -> Tensor:
        tensor = (torch.from_numpy(values) - self.centre[which]) / self.spread[which]
        known = torch.isfinite(tensor)
        return torch.cat([torch.nan_to_num(tensor).clamp(-_LARGEST_INPUT, _LARGEST_INPUT), known.float()], dim=-1)


def _logs(observed: Float) -> Float:
    return np.log(np.maximum(observed, 0.0) + 5.0).astype(np.float32)


def _drivers(weather: Float) -> Float:
    speed = np.hypot(weather[..., _U10], weather[..., _V10])
    return np.concatenate(
        [weather, np.stack([speed, weather[..., _T2M] - weather[..., _D2M]], axis=-1)], axis=-1
    ).astype(np.float32)


def _raw(observed: Float, weather: Float) -> Float:
    return np.concatenate([_logs(observed), _drivers(weather)], axis=-1)


def _waves(windows: Windows, hours: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(calendar(windows, hours)[..., _WAVES])


class PlainGRU(nn.Module):
    """A GRU reads the history, another the coming hours; a layer makes concentrations of both."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.inputs = _Inputs()
        self.encoder = nn.GRU(_PAST_INPUTS, hidden, batch_first=True)
        self.decoder = nn.GRU(_COMING_INPUTS, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden + _COMING_INPUTS, hidden), nn.GELU(), nn.Linear(hidden, _POLLUTANTS))

    def forward(self, windows: Windows) -> Tensor:
        """Return the mean (n, lead, 2), ug m-3."""
        _, state = self.encoder(self.inputs.past(windows))
        coming = self.inputs.coming(windows)
        decoded, _ = self.decoder(coming, state)
        return self.inputs.concentration(self.head(torch.cat([decoded, coming], dim=-1)))


class PlaceGraph(nn.Module):
    """The GRU with messages between the places of one init time, hour by hour.

    Parameters
    ----------
    hidden, message : int
    reach : float
        Places nearer than this (km) are joined.
    """

    def __init__(self, hidden: int = 64, message: int = 16, reach: float = 300.0) -> None:
        super().__init__()
        self.inputs = _Inputs()
        self.message, self.reach = message, reach
        self.encoder = nn.GRU(_PAST_INPUTS, hidden, batch_first=True)
        self.node = nn.Linear(hidden, message)
        self.edge = nn.Sequential(nn.Linear(2 * message + 2, 2 * message), nn.GELU(), nn.Linear(2 * message, message))
        self.cell = nn.GRUCell(_COMING_INPUTS + message, hidden)
        self.head = nn.Sequential(nn.Linear(hidden + _COMING_INPUTS, hidden), nn.GELU(), nn.Linear(hidden, _POLLUTANTS))

    def forward(self, windows: Windows) -> Tensor:
        """Return the mean (n, lead, 2), ug m-3."""
        _, states = self.encoder(self.inputs.past(windows))
        state = states[0]
        coming = self.inputs.coming(windows)
        source, end, distance, advection = (torch.from_numpy(a) for a in edges(windows, self.reach))
        far = (distance / self.reach)[:, None]
        decoded = []
        for hour in range(LEAD_HOURS):
            node = self.node(state)
            along = torch.cat([node[source], node[end], far, advection[:, hour, None]], dim=-1)
            sent = self.edge(along)
            net = torch.zeros(len(state), self.message).index_add(0, end, sent).index_add(0, source, -sent)
            degree = torch.zeros(len(state)).index_add(0, end, torch.ones(len(end))).clamp(min=1)[:, None]
            state = self.cell(torch.cat([coming[:, hour], net / degree], dim=-1), state)
            decoded.append(state)
        return self.inputs.concentration(self.head(torch.cat([torch.stack(decoded, dim=1), coming], dim=-1)))


def edges(windows: Windows, reach: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Float, Float]:
    """Join the places of each init time that lie near each other.

    Parameters
    ----------
    windows : Windows
    reach : float
        Places up to this distance (km) are joined.

    Returns
    -------
    source, end : int64 (e,)
        Rows of `windows`.
    distance : float32 (e,)
        km, at least 1.
    advection : float32 (e, lead)
        The wind at the source along the edge over the distance, m s-1 per 10 km, never negative;
        0 where the wind isn't known.
    """
    pairs = []
    for time in np.unique(windows.init_time):
        rows = np.flatnonzero(windows.init_time == time)
        north = (windows.latitude[rows][None] - windows.latitude[rows][:, None]) * _KM_PER_DEGREE
        mean_latitude = (windows.latitude[rows][None] + windows.latitude[rows][:, None]) / 2
        east = windows.longitude[rows][None] - windows.longitude[rows][:, None]
        east = east * _KM_PER_DEGREE * np.cos(np.radians(mean_latitude))
        distance = np.hypot(north, east)
        # NaN, a place of unknown position, is within reach of nothing.
        a, b = np.nonzero((distance <= reach) & ~np.eye(len(rows), dtype=bool))
        pairs.append((rows[a], rows[b], north[a, b], east[a, b]))
    source, end, north, east = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    distance = np.maximum(np.hypot(north, east), 1.0).astype(np.float32)
    wind = np.nan_to_num(windows.future_weather[source][..., [_U10, _V10]])
    along = wind[..., 0] * (east / distance)[:, None] + wind[..., 1] * (north / distance)[:, None]
    advection = 10.0 * np.maximum(along, 0.0) / distance[:, None]
    return source, end, distance, advection.astype(np.float32)


class RecurrentPoint:
    """Trains a recurrent network on the squared error of the mean.

    Parameters
    ----------
    build : callable
        Returns a new `PlainGRU` or `PlaceGraph` of a width.
    hidden : int
        The width.
    windows : int
        How many training windows to draw; a fixed amount of training, which needs no tuning.
    batch : int
        Windows in a step.
    learning_rate : float
    together : bool
        Whether all places of an init time are drawn together.
    """

    def __init__(
        self,
        build: Callable[[int], PlainGRU | PlaceGraph],
        hidden: int,
        *,
        windows: int,
        batch: int = 256,
        learning_rate: float = 3e-3,
        together: bool = False,
    ) -> None:
        self._build, self._hidden = build, hidden
        self._windows, self._batch = windows, batch
        self._learning_rate, self._together = learning_rate, together
        self.network: PlainGRU | PlaceGraph | None = None

    def learn_point(self, train: WindowSet, tune: WindowSet | None, *, progress: bool = False) -> None:
        """Train a new network.

        Parameters
        ----------
        train : WindowSet
        tune : WindowSet, optional
            Not used.
        progress : bool
            Show a bar.
        """
        torch.manual_seed(_SEED)
        random = np.random.default_rng(_SEED)
        network = self._build(self._hidden)
        drawn = random.integers(0, len(train), min(len(train), _STATISTICS_FROM))
        network.inputs.learn(train.batch(drawn, future_weather=True))
        steps = max(self._windows // self._batch, 10)
        optimiser = torch.optim.AdamW(network.parameters(), lr=self._learning_rate, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, self._learning_rate, total_steps=steps)
        draw = self._drawer(train)
        for _ in tqdm(range(steps), desc=type(network).__name__, unit="batch", disable=not progress):
            windows = train.batch(draw(random), future_weather=True)
            assert windows.target is not None
            target = torch.from_numpy(windows.target)
            valid = torch.isfinite(target)
            error = (network(windows) - torch.nan_to_num(target)) / network.inputs.target_spread
            loss = (error**2 * valid).sum() / valid.sum().clamp(min=1)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        self.network = network.eval()

    def _drawer(self, train: WindowSet) -> Callable[[np.random.Generator], NDArray[np.int64]]:
        if not self._together:
            return lambda random: random.integers(0, len(train), self._batch)
        order = np.argsort(init_times(train), kind="stable")
        times, first = np.unique(init_times(train)[order], return_index=True)
        groups = np.split(order, first[1:])
        count = max(1, round(self._batch * len(times) / len(train)))
        return lambda random: np.concatenate([groups[i] for i in random.integers(0, len(groups), count)])

    def point(self, windows: Windows) -> Float:
        """Return the mean, float32 (n, lead, 2), ug m-3.

        Raises
        ------
        RuntimeError
            If the network was not trained.
        """
        if self.network is None:
            raise RuntimeError("the network has no weights: fit it")
        # All places of an init time go together: the graph joins them.
        order = np.argsort(windows.init_time, kind="stable")
        starts = np.flatnonzero(np.diff(windows.init_time[order], prepend=np.datetime64("NaT")) != np.timedelta64(0))
        result = np.empty((len(windows), LEAD_HOURS, _POLLUTANTS), np.float32)
        with torch.inference_mode():
            for rows in _chunks(order, starts):
                result[rows] = self.network(windows.rows(rows)).numpy()
        return result

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the weights into `folder`; returns the width, which the network is built from.

        Raises
        ------
        RuntimeError
            If the network was not trained.
        """
        if self.network is None:
            raise RuntimeError("the network has no weights: fit it")
        weights = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        (folder / _WEIGHTS_FILE).write_bytes(tensors.save(weights))
        return {"settings": {"hidden": self._hidden}}

    def restore(self, folder: Path, card: dict[str, Any]) -> None:
        """Take on the weights in `folder`.

        Parameters
        ----------
        folder : Path
        card : dict
            With the width.

        Raises
        ------
        InputError
            If the weights are broken or do not fit the width.
        """
        settings, path = checked_settings(card, "settings", folder), folder / _WEIGHTS_FILE
        try:
            self._hidden = int(settings["hidden"])
            network = self._build(self._hidden)
            network.load_state_dict(tensors.load(path.read_bytes()))
        except (OSError, KeyError, SafetensorError, RuntimeError, ValueError) as error:
            raise InputError(str(path), error, "the weights of this network") from error
        self.network = network.eval()


def _chunks(order: NDArray[np.int64], starts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return rows in chunks of about `_PREDICTED_AT_ONCE`, cut only where an init time starts."""
    cuts, last = [], 0
    for start in starts[1:]:
        if start - last >= _PREDICTED_AT_ONCE:
            cuts.append(start)
            last = start
    return np.split(order, cuts)


class GRUModel(Peer):
    """A plain recurrent encoder and decoder, place by place; see `hazecast.models.training.tuning.Peer`."""

    name = "gru"

    def __init__(self, *, hidden: int = 64, **settings: Any) -> None:
        super().__init__(RecurrentPoint(PlainGRU, hidden, **({"windows": 60_000} | settings)), _SEED)


class GraphModel(Peer):
    """A graph network over the places; see `hazecast.models.training.tuning.Peer`."""

    name = "graph"

    def __init__(self, *, hidden: int = 64, **settings: Any) -> None:
        point = RecurrentPoint(PlaceGraph, hidden, **({"windows": 50_000} | settings), together=True)
        super().__init__(point, _SEED)
