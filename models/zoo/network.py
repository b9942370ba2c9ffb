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
from hazecast.models.interface import EVENTS, OBSERVED, TARGETS, WEATHER_NAMES, Windows
from hazecast.models.scaling import decode_concentration, encode_concentration

# Centre and spread of each variable in its contract units: round figures near those of the training data, so that a
# checkpoint needs no statistics.
_WEATHER_SCALE: dict[str, tuple[float, float]] = {
    "t2m": (286.0, 12.0),
    "d2m": (276.0, 14.0),
    "u10": (0.0, 2.5),
    "v10": (0.0, 2.5),
    "sp": (101_000.0, 1_000.0),
    "blh": (600.0, 500.0),
    "tp": (0.0, 1.0),
    "tcc": (0.5, 0.4),
    "ssrd": (150.0, 220.0),
}
_WEATHER_CENTRE = torch.tensor([_WEATHER_SCALE[name][0] for name in WEATHER_NAMES])
_WEATHER_SPREAD = torch.tensor([_WEATHER_SCALE[name][1] for name in WEATHER_NAMES])
# Which of its two ensembles: blind to the coming weather, or informed of it.
BLIND, INFORMED = 0, 1
_WEATHER_INPUTS = 2 * len(WEATHER_NAMES) + 2
_OBSERVED_INPUTS = 2 * len(OBSERVED)
_CALENDAR = 6
_LEAD_SCALE = 72.0
# Hours that drivers are averaged over before each lead time, and that pressure changes over.
_RUNNING_HOURS = (6, 12, 24, 48)
_PRESSURE_HOURS = (6, 24)
_DRIVERS = ("speed", "u10", "v10", "depression", "tp", "t2m", "blh")
_ANCHORS = 3 * len(TARGETS)
PAST_INPUTS = 2 * _OBSERVED_INPUTS + 2 * _WEATHER_INPUTS + _CALENDAR
BLIND_INPUTS = _CALENDAR + 1 + 2 * _ANCHORS
INFORMED_INPUTS = BLIND_INPUTS + 1 + 2 * _WEATHER_INPUTS + len(_RUNNING_HOURS) * len(_DRIVERS) + len(_PRESSURE_HOURS)
# Outputs a pollutant: lowest quantile, steps to the others, the mean's distance, the gate of persistence.
_OUTPUTS = len(QUANTILES) + 2


def _scaled(weather: Tensor) -> Tensor:
    """Scale weather (n, h, 9) and add wind speed and dew-point depression: (n, h, 11), NaN where missing."""
    t2m, d2m, u10, v10 = weather[..., 0], weather[..., 1], weather[..., 2], weather[..., 3]
    derived = torch.stack([torch.hypot(u10, v10) / 2.0 - 1.0, (t2m - d2m) / 8.0 - 1.0], dim=-1)
    scaled = (weather - _WEATHER_CENTRE.to(weather.device)) / _WEATHER_SPREAD.to(weather.device)
    rain = WEATHER_NAMES.index("tp")
    # A few wet hours hold most of the rain: its logarithm tells wash-out better.
    scaled = torch.cat([scaled[..., :rain], torch.log1p(weather[..., rain : rain + 1]), scaled[..., rain + 1 :]], -1)
    return torch.cat([scaled, derived], dim=-1).clamp(-6, 6)


def _masked(scaled: Tensor, variables: int) -> Tensor:
    """Put zero where a value is missing, and the masks of the first `variables` beside."""
    mask = torch.isfinite(scaled[..., :variables]).float()
    return torch.cat([torch.nan_to_num(scaled, nan=0.0), mask], dim=-1)


def _running(past: Tensor, coming: Tensor) -> Tensor:
    """Average the drivers over the hours up to each lead time; the change of pressure over some.

    Parameters
    ----------
    past, coming : Tensor (n, h, 11)
        As from `_scaled`.

    Returns
    -------
    Tensor (n, lead, 30)
        Zero where nothing is known.
    """
    columns = [*WEATHER_NAMES, "speed", "depression"]
    joined = torch.cat([past, coming], dim=1)
    drivers = joined[..., [columns.index(name) for name in _DRIVERS]]
    known = torch.isfinite(drivers)
    nothing = torch.zeros_like(drivers[:, :1])
    total = torch.cat([nothing, torch.cumsum(torch.nan_to_num(drivers, nan=0.0), dim=1)], dim=1)
    count = torch.cat([nothing, torch.cumsum(known.float(), dim=1)], dim=1)
    end = torch.arange(HISTORY_HOURS + 1, HISTORY_HOURS + LEAD_HOURS + 1, device=past.device)
    parts = [
        (total[:, end] - total[:, end - hours]) / (count[:, end] - count[:, end - hours]).clamp(min=1)
        for hours in _RUNNING_HOURS
    ]
    pressure = joined[..., columns.index("sp")]
    change = [pressure[:, end - 1] - pressure[:, end - 1 - hours] for hours in _PRESSURE_HOURS]
    parts.append(torch.nan_to_num(torch.stack(change, dim=-1), nan=0.0))
    return torch.cat(parts, dim=-1)


def _calendar(windows: Windows, hours: np.ndarray, device: torch.device) -> Tensor:
    """Hour of day and day of year (local) as (n, h, 6): two harmonics of the day, one of the year."""
    local = windows.init_time[:, None] + hours.astype("timedelta64[h]")
    local = local + (windows.utc_offset[:, None] * 3600).astype("timedelta64[s]")
    day = 2 * np.pi * (local.astype("datetime64[h]").astype(np.int64) % 24) / 24
    start_of_year = local.astype("datetime64[Y]").astype("datetime64[D]")
    year = 2 * np.pi * (local.astype("datetime64[D]") - start_of_year).astype(np.int64) / 365.25
    angles = [np.sin(day), np.cos(day), np.sin(2 * day), np.cos(2 * day), np.sin(year), np.cos(year)]
    return torch.from_numpy(np.stack(angles, axis=-1).astype(np.float32)).to(device)


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
    offsets, shifts, event_limits : Tensor
        What calibration on held-back windows gave, blind first and informed second; see
        `hazecast.models.calibration` and `hazecast.models.events`.
    """

    seen_weather: Tensor
    seen_observed: Tensor
    offsets: Tensor
    shifts: Tensor
    event_limits: Tensor

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
        self.register_buffer("shifts", torch.zeros(2, LEAD_HOURS, targets))
        self.register_buffer("event_limits", torch.full((2, LEAD_HOURS, len(EVENTS)), 0.5))

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
        mean = decode_concentration(torch.stack([m for _, m in forecasts])[..., None])[..., 0]
        return quantiles, mean.clamp(min=0.0)

    def _inputs(self, windows: Windows, informed: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is known of the past, of each lead time, and the newest observation (n, 2)."""
        device = self.seen_weather.device

        def weather(values: np.ndarray) -> Tensor:
            return _scaled(torch.where(self.seen_weather, torch.from_numpy(values).to(device), torch.nan))

        def observed(values: np.ndarray) -> Tensor:
            known = torch.where(self.seen_observed, torch.from_numpy(values).to(device), torch.nan)
            return encode_concentration(known)

        own, area = observed(windows.history_obs), observed(windows.area_obs)
        own_past, area_past = weather(windows.history_weather), weather(windows.area_weather)
        own_anchors, area_anchors = (_anchors(z[..., list(TARGETS)]) for z in (own, area))
        past = [
            *(_masked(z, len(OBSERVED)) for z in (own, area)),
            *(_masked(w, len(WEATHER_NAMES)) for w in (own_past, area_past)),
            _calendar(windows, np.arange(1 - HISTORY_HOURS, 1), device),
        ]
        lead = torch.arange(1, LEAD_HOURS + 1, device=device) / _LEAD_SCALE
        coming = [
            _calendar(windows, np.arange(1, LEAD_HOURS + 1), device),
            lead.expand(len(windows), LEAD_HOURS)[..., None],
            own_anchors,
            area_anchors,
        ]
        if informed:
            own_ahead, area_ahead = weather(windows.future_weather), weather(windows.area_future_weather)
            error = torch.from_numpy(windows.weather_error).to(device)
            coming.append(error[:, None, None].expand(len(windows), LEAD_HOURS, 1))
            coming += [_masked(w, len(WEATHER_NAMES)) for w in (own_ahead, area_ahead)]
            coming.append(_running(area_past, area_ahead))
        return torch.cat(past, dim=-1), torch.cat(coming, dim=-1), own_anchors[:, 0, : len(TARGETS)]


def _anchors(z: Tensor) -> Tensor:
    """Past values a forecaster looks at first: newest, mean of the 72 h, same hour of day; (n, lead, 6)."""
    filled = torch.nan_to_num(z, nan=0.0)
    valid = torch.isfinite(z)
    age = torch.arange(z.shape[1], dtype=torch.float32, device=z.device)[None, :, None]
    newest = torch.where(valid, age, -1.0).argmax(dim=1, keepdim=True)
    last = torch.gather(filled, 1, newest)
    mean = filled.sum(dim=1, keepdim=True) / valid.sum(dim=1, keepdim=True).clamp(min=1)
    days_filled = filled.reshape(len(z), -1, 24, z.shape[-1])
    days_valid = valid.reshape(len(z), -1, 24, z.shape[-1])
    by_hour = days_filled.sum(dim=1) / days_valid.sum(dim=1).clamp(min=1)
    by_hour = by_hour.repeat(1, LEAD_HOURS // 24, 1)
    return torch.cat([last.expand_as(by_hour), mean.expand_as(by_hour), by_hour], dim=-1)
