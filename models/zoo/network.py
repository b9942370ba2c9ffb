"""The network: recurrent encoders of the past and decoders of the coming hours, a small ensemble.

One set of weights serves every place. What is missing enters as zero beside a mask, so any
observation, station or weather variable may be absent. What drives haze enters as it is reasoned
about: the weather of the hour, and besides what has built up over the hours before it (stagnation,
transport by the mean wind, wash-out, the change of pressure), of the place and of its area.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS, QUANTILES
from hazecast.models.combination import State
from hazecast.models.familiarity import MEASURES
from hazecast.models.interface import EVENTS
from hazecast.models.scaling import decode_concentration, encode_concentration
from hazecast.models.series import OBSERVED, TARGETS, WEATHER_NAMES, Windows
from hazecast.models.zoo.network_inputs import (
    BLIND_INPUTS,
    INFORMED_INPUTS,
    LEAD_SCALE,
    PAST_INPUTS,
    PLACE,
    SP,
    VARIABLES,
    anchors,
    calendar_waves,
    level_and_spread,
    masked,
    place_inputs,
    pressure_changes,
    running_drivers,
    scaled_weather,
)

# Which of its two ensembles: blind to the coming weather, or informed of it.
BLIND, INFORMED = 0, 1
# Outputs a pollutant: lowest quantile, steps to the others, the mean's distance, the gate of persistence.
_OUTPUTS = len(QUANTILES) + 2


class Member(nn.Module):
    """One encoder and decoder of the ensemble.

    Parameters
    ----------
    inputs : int
        Width of what is known of a lead time.
    hidden : int
        Width of both recurrent layers.
    context : int
        Width of the convolutions that let a lead time see the weather on both sides of it; 0 for none.
    dropout : float
    """

    def __init__(self, inputs: int, hidden: int, context: int, dropout: float) -> None:
        super().__init__()
        self.encoder = nn.GRU(PAST_INPUTS, hidden, batch_first=True)
        self.bridge = nn.Linear(hidden, hidden)
        self.around = nn.ModuleList()
        if context:
            self.around.append(nn.Conv1d(inputs, context, 5, padding=2))
            self.around.append(nn.Conv1d(context, context, 5, padding=4, dilation=2))
            self.around.append(nn.Conv1d(context, context, 5, padding=8, dilation=4))
        width = inputs + context
        self.decoder = nn.GRU(width, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(hidden + width, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, len(TARGETS) * _OUTPUTS),
        )

    def forward(self, past: Tensor, coming: Tensor, newest: Tensor) -> tuple[Tensor, Tensor]:
        """Forecast from encoded inputs; `newest` (n, 2) is the newest observation on the network's scale.

        Parameters
        ----------
        past : Tensor (n, 72, inputs)
        coming : Tensor (n, lead, inputs)
        newest : Tensor (n, 2)
            Newest observation on the network's scale.

        Returns
        -------
        quantiles : Tensor (n, lead, 2, 5)
        mean : Tensor (n, lead, 2)
            Both on the network's scale.
        """
        _, state = self.encoder(past)
        if len(self.around):
            seen = torch.relu(self.around[0](coming.transpose(1, 2)))
            for convolution in self.around[1:]:
                seen = seen + torch.relu(convolution(seen))
            coming = torch.cat([coming, seen.transpose(1, 2)], dim=-1)
        decoded, _ = self.decoder(coming, torch.tanh(self.bridge(state)))
        out = self.head(self.drop(torch.cat([decoded, coming], dim=-1)))
        out = out.reshape(*out.shape[:-1], len(TARGETS), _OUTPUTS)
        # Starts as persistence in the first hours and learns from there how long that holds.
        hours = torch.arange(1, LEAD_HOURS + 1, device=past.device) / 12.0
        gate = torch.sigmoid(out[..., -1] + 2.0 - 4.0 * hours.clamp(max=2.0)[:, None])
        lowest = (out[..., 0] + gate * newest[:, None])[..., None]
        steps = nn.functional.softplus(out[..., 1 : len(QUANTILES)])
        quantiles = torch.cat([lowest, lowest + torch.cumsum(steps, dim=-1)], dim=-1)
        # The mean lies where the skew puts it: the median plus what the last output learns.
        return quantiles, quantiles[..., QUANTILES.index(0.5)] + out[..., len(QUANTILES)]


class Network(nn.Module):
    """Two ensembles that give ordered quantiles and the mean: one informed of the coming weather, one blind to it.

    Parameters
    ----------
    hidden : int
        Width of the informed ensemble's recurrent layers.
    blind_hidden : int
        Of the blind members, which have less to distinguish.
    members : int
        Of each ensemble.
    context : int
        Width of the convolutions over the coming hours; only the informed have them.
    dropout : float
        In training only.

    Attributes
    ----------
    offsets, event_limits : Tensor
        What calibration on held-back windows gave, blind first and informed second; see
        `hazecast.models.zoo.network_training.calibrate` and `hazecast.models.events`.
    familiar : Tensor
        What its training saw; see `hazecast.models.familiarity`.
    pool_moments, pool_offsets : Tensor
        Where the combination with other experts begins; see `hazecast.models.combination.State`.
    """

    seen_weather: Tensor
    seen_observed: Tensor
    offsets: Tensor
    event_limits: Tensor
    familiar: Tensor
    pool_moments: Tensor
    pool_offsets: Tensor

    def __init__(
        self, hidden: int = 96, blind_hidden: int = 64, members: int = 3, context: int = 48, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.options = {
            "hidden": hidden,
            "blind_hidden": blind_hidden,
            "members": members,
            "context": context,
            "dropout": dropout,
        }
        self.blind = nn.ModuleList(Member(BLIND_INPUTS, blind_hidden, 0, dropout) for _ in range(members))
        self.informed = nn.ModuleList(Member(INFORMED_INPUTS, hidden, context, dropout) for _ in range(members))
        # Variables that training never held: their weights are untrained, so they stay masked.
        self.register_buffer("seen_weather", torch.ones(len(WEATHER_NAMES), dtype=torch.bool))
        self.register_buffer("seen_observed", torch.ones(len(OBSERVED), dtype=torch.bool))
        targets = len(TARGETS)
        self.register_buffer("offsets", torch.zeros(2, LEAD_HOURS, targets, len(QUANTILES)))
        self.register_buffer("event_limits", torch.full((2, LEAD_HOURS, len(EVENTS)), 0.5))
        self.register_buffer("familiar", torch.full((2, len(MEASURES)), torch.nan))
        first = State.empty()
        self.register_buffer("pool_moments", torch.from_numpy(first.moments[0]))
        self.register_buffer("pool_offsets", torch.from_numpy(first.offsets[0]))

    def forward(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Forecast a batch with every member of both ensembles; the blind ones are not given its future weather.

        Returns
        -------
        quantiles : Tensor (2 members, n, lead, 2, 5)
            On the network's scale, ascending along the last axis.
        mean : Tensor (2 members, n, lead, 2)
            ug m-3.
        """
        blind, informed = self._run(windows, informed=False), self._run(windows, informed=True)
        return torch.cat([blind[0], informed[0]]), torch.cat([blind[1], informed[1]])

    def forecast(self, windows: Windows, *, informed: bool) -> tuple[Tensor, Tensor]:
        """Return the average over one ensemble: quantiles (n, lead, 2, 5) and mean (n, lead, 2).

        Parameters
        ----------
        windows : Windows
        informed : bool
            Which ensemble.

        Returns
        -------
        quantiles : Tensor (n, lead, 2, 5)
            On the network's scale.
        mean : Tensor (n, lead, 2)
            ug m-3.
        """
        quantiles, mean = self._run(windows, informed=informed)
        return quantiles.mean(dim=0), mean.mean(dim=0)

    def _run(self, windows: Windows, *, informed: bool) -> tuple[Tensor, Tensor]:
        past, coming, newest = self._inputs(windows, informed)
        forecasts = [member(past, coming, newest) for member in (self.informed if informed else self.blind)]
        quantiles = torch.stack([q for q, _ in forecasts])
        level, spread = level_and_spread(windows, past.device)
        mean = decode_concentration(torch.stack([m for _, m in forecasts]), level, spread)
        return quantiles, mean.clamp(min=0.0)

    def _inputs(self, windows: Windows, informed: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is known of the past, of each lead time, and the newest observation (n, 2)."""
        device = self.seen_weather.device
        targets = list(TARGETS)

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.asarray(values, np.float32)).to(device)

        def observed(values: np.ndarray, level: np.ndarray, spread: np.ndarray) -> Tensor:
            known = torch.where(self.seen_observed, tensor(values), torch.nan)
            return encode_concentration(known, tensor(level)[:, None], tensor(spread)[:, None]).clamp(-8, 8)

        own = observed(windows.history_obs, windows.level, windows.spread)
        area = observed(windows.area_obs, windows.area_level, windows.area_spread)
        own_past, own_ahead = self._weather(windows.history_weather, windows.future_weather, windows.weather_level)
        area_past, area_ahead = self._weather(
            windows.area_weather, windows.area_future_weather, windows.area_weather_level
        )
        own_anchors, area_anchors = (anchors(z[..., targets]) for z in (own, area))
        past = [
            *(masked(z, len(OBSERVED)) for z in (own, area)),
            *(masked(w, VARIABLES) for w in (own_past, area_past)),
            calendar_waves(windows, np.arange(1 - HISTORY_HOURS, 1), device),
        ]
        lead = torch.arange(1, LEAD_HOURS + 1, device=device) / LEAD_SCALE
        level, spread = level_and_spread(windows, device)
        usual = encode_concentration(tensor(windows.same_hour), level, spread)
        earlier = encode_concentration(tensor(windows.monthly), level, spread).clamp(-4, 4)
        coming = [
            calendar_waves(windows, np.arange(1, LEAD_HOURS + 1), device),
            lead.expand(len(windows), LEAD_HOURS)[..., None],
            own_anchors,
            area_anchors,
            torch.nan_to_num(usual, nan=0.0),
            masked(earlier, len(TARGETS)),
            place_inputs(windows, tensor).expand(len(windows), LEAD_HOURS, PLACE),
        ]
        if informed:
            coming.append(tensor(windows.weather_error)[:, None, None].expand(len(windows), LEAD_HOURS, 1))
            coming += [masked(w, VARIABLES) for w in (own_ahead, area_ahead)]
            coming.append(running_drivers(area_past, area_ahead))
        return torch.cat(past, dim=-1), torch.cat(coming, dim=-1), own_anchors[:, 0, : len(TARGETS)]

    def _weather(self, past: np.ndarray, coming: np.ndarray, level: np.ndarray) -> tuple[Tensor, Tensor]:
        device = self.seen_weather.device
        known = [torch.where(self.seen_weather, torch.from_numpy(w).to(device), torch.nan) for w in (past, coming)]
        usual = torch.from_numpy(level).to(device)
        scaled = [scaled_weather(w, usual) for w in known]
        changes = pressure_changes(*(w[..., SP : SP + 1] for w in known))
        for one, change in zip(scaled, changes, strict=True):
            one[..., SP : SP + 1] = change.clamp(-6, 6)
        return scaled[0], scaled[1]
