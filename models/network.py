"""The network: a recurrent encoder of the past and decoder of the coming hours.

One set of weights serves every place. What is missing enters as zero beside a mask, so any
observation or weather variable may be absent.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from grids.contract import HISTORY_HOURS, LEAD_HOURS, QUANTILES
from models.interface import OBSERVED, TARGETS, WEATHER_NAMES, Windows

# Centre and spread of each input, in its contract units after the transform in `encode`:
# round figures near those of the training data, so that a checkpoint needs no statistics.
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
_LOG_CENTRE: dict[str, tuple[float, float]] = {
    "pm25": (4.0, 1.0),
    "o3": (3.7, 1.1),
    "pm10": (4.4, 0.9),
    "no2": (3.7, 0.7),
    "so2": (2.5, 1.1),
    "co": (6.9, 0.8),
}
_LOG_OFFSET = 5.0
_OBS_CENTRE = torch.tensor([_LOG_CENTRE[name][0] for name in OBSERVED])
_OBS_SPREAD = torch.tensor([_LOG_CENTRE[name][1] for name in OBSERVED])
_WEATHER_CENTRE = torch.tensor([_WEATHER_SCALE[name][0] for name in WEATHER_NAMES])
_WEATHER_SPREAD = torch.tensor([_WEATHER_SCALE[name][1] for name in WEATHER_NAMES])
_CALENDAR = 6
_LEAD_SCALE = 72.0
_WEATHER_INPUTS = 2 * len(WEATHER_NAMES) + 2


def encode_concentration(value: Tensor, which: tuple[int, ...] | None = None) -> Tensor:
    """Take concentrations (..., k) in ug m-3 to the scaled logarithm the network works on."""
    pick = list(which) if which is not None else list(range(len(OBSERVED)))
    logs = torch.log(value.clamp(min=0.0) + _LOG_OFFSET)
    return (logs - _OBS_CENTRE[pick]) / _OBS_SPREAD[pick]


def decode_concentration(z: Tensor) -> Tensor:
    """Invert `encode_concentration` for the forecast pollutants; (..., 2, k) to ug m-3."""
    pick = list(TARGETS)
    logs = z * _OBS_SPREAD[pick, None] + _OBS_CENTRE[pick, None]
    return torch.exp(logs.clamp(max=8.0)) - _LOG_OFFSET


def _weather_inputs(weather: Tensor) -> Tensor:
    """Scale weather (n, h, 9) and add wind speed and dew-point depression, with masks."""
    t2m, d2m, u10, v10 = weather[..., 0], weather[..., 1], weather[..., 2], weather[..., 3]
    derived = torch.stack([torch.hypot(u10, v10) / 2.0 - 1.0, (t2m - d2m) / 8.0 - 1.0], dim=-1)
    scaled = (weather - _WEATHER_CENTRE) / _WEATHER_SPREAD
    mask = torch.isfinite(weather)
    values = torch.cat([scaled, derived], dim=-1)
    return torch.cat([torch.nan_to_num(values, nan=0.0).clamp(-6, 6), mask.float()], dim=-1)


def _calendar(windows: Windows, hours: np.ndarray) -> Tensor:
    """Hour of day and day of year (local) as (n, h, 6): two harmonics of the day, one of the year."""
    local = windows.init_time[:, None] + hours.astype("timedelta64[h]")
    local = local + (windows.utc_offset[:, None] * 3600).astype("timedelta64[s]")
    day = 2 * np.pi * (local.astype("datetime64[h]").astype(np.int64) % 24) / 24
    start_of_year = local.astype("datetime64[Y]").astype("datetime64[D]")
    year = 2 * np.pi * (local.astype("datetime64[D]") - start_of_year).astype(np.int64) / 365.25
    angles = [np.sin(day), np.cos(day), np.sin(2 * day), np.cos(2 * day), np.sin(year), np.cos(year)]
    return torch.from_numpy(np.stack(angles, axis=-1).astype(np.float32))


class Network(nn.Module):
    """Encoder and decoder GRU with a head for ordered quantiles and the mean.

    Parameters
    ----------
    hidden : int
        Width of both recurrent layers.
    """

    seen_weather: Tensor
    seen_observed: Tensor

    def __init__(self, hidden: int = 96) -> None:
        super().__init__()
        self.hidden = hidden
        past = 2 * len(OBSERVED) + _WEATHER_INPUTS + _CALENDAR
        anchors = 3 * len(TARGETS)
        coming = _WEATHER_INPUTS + _CALENDAR + 1 + anchors
        self.encoder = nn.GRU(past, hidden, batch_first=True)
        self.bridge = nn.Linear(hidden, hidden)
        self.decoder = nn.GRU(coming, hidden, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(hidden + coming, hidden), nn.GELU(), nn.Linear(hidden, len(TARGETS) * (len(QUANTILES) + 1))
        )
        # Variables that training never held: their weights are untrained, so they stay masked.
        self.register_buffer("seen_weather", torch.ones(len(WEATHER_NAMES), dtype=torch.bool))
        self.register_buffer("seen_observed", torch.ones(len(OBSERVED), dtype=torch.bool))

    def forward(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Forecast a batch.

        Returns
        -------
        quantiles : Tensor (n, lead, 2, 5)
            On the network's scale, ascending along the last axis.
        mean : Tensor (n, lead, 2)
            ug m-3.
        """
        observed = torch.from_numpy(windows.history_obs)
        observed = torch.where(self.seen_observed, observed, torch.nan)
        weather, coming_weather = (
            torch.where(self.seen_weather, torch.from_numpy(array), torch.nan)
            for array in (windows.history_weather, windows.future_weather)
        )
        z = encode_concentration(observed)
        past = torch.cat(
            [
                torch.nan_to_num(z, nan=0.0),
                torch.isfinite(z).float(),
                _weather_inputs(weather),
                _calendar(windows, np.arange(1 - HISTORY_HOURS, 1)),
            ],
            dim=-1,
        )
        _, state = self.encoder(past)
        lead = torch.arange(1, LEAD_HOURS + 1) / _LEAD_SCALE
        coming = torch.cat(
            [
                _weather_inputs(coming_weather),
                _calendar(windows, np.arange(1, LEAD_HOURS + 1)),
                lead.expand(len(windows), LEAD_HOURS)[..., None],
                _anchors(z[..., list(TARGETS)]),
            ],
            dim=-1,
        )
        decoded, _ = self.decoder(coming, torch.tanh(self.bridge(state)))
        out: Tensor = self.head(torch.cat([decoded, coming], dim=-1))
        out = out.reshape(*out.shape[:-1], len(TARGETS), len(QUANTILES) + 1)
        lowest, steps = out[..., :1], nn.functional.softplus(out[..., 1 : len(QUANTILES)])
        quantiles = torch.cat([lowest, lowest + torch.cumsum(steps, dim=-1)], dim=-1)
        # The mean lies where the skew puts it: the median plus what the last output learns.
        mean = decode_concentration(quantiles[..., 2:3] + out[..., -1:])[..., 0]
        return quantiles, mean.clamp(min=0.0)


def _anchors(z: Tensor) -> Tensor:
    """Past values a forecaster looks at first: newest, same hour of day, mean of the 72 h."""
    filled = torch.nan_to_num(z, nan=0.0)
    valid = torch.isfinite(z)
    age = torch.arange(z.shape[1], dtype=torch.float32)[None, :, None]
    newest = torch.where(valid, age, -1.0).argmax(dim=1, keepdim=True)
    last = torch.gather(filled, 1, newest)
    count = valid.sum(dim=1, keepdim=True).clamp(min=1)
    mean = filled.sum(dim=1, keepdim=True) / count
    days_filled = filled.reshape(len(z), -1, 24, z.shape[-1])
    days_valid = valid.reshape(len(z), -1, 24, z.shape[-1])
    by_hour = days_filled.sum(dim=1) / days_valid.sum(dim=1).clamp(min=1)
    by_hour = by_hour.repeat(1, LEAD_HOURS // 24, 1)
    return torch.cat([last.expand_as(by_hour), mean.expand_as(by_hour), by_hour], dim=-1)
