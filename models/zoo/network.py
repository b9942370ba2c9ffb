"""The network: recurrent encoders of the past and decoders of the coming hours, a small ensemble.

One set of weights serves every place. What is missing enters as zero beside a mask, so any
observation, station or weather variable may be absent. What drives haze enters as it is reasoned
about: the weather of the hour, and besides what has built up over the hours before it (stagnation,
transport by the mean wind, wash-out, the change of pressure), of the place and of its area.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS, QUANTILES
from hazecast.models.combination import State
from hazecast.models.familiarity import MEASURES
from hazecast.models.interface import EVENTS, OBSERVED, TARGETS, WEATHER_NAMES, Windows
from hazecast.models.scaling import decode_concentration, encode_concentration

# Unit of each variable's deviation from the place's own mean; wind is in units of the place's own mean speed.
_WEATHER_UNIT: dict[str, float] = {
    "t2m": 6.0,
    "d2m": 8.0,
    "sp": 600.0,
    "blh": 500.0,
    "tcc": 0.4,
    "ssrd": 220.0,
}
# Which of its two ensembles: blind to the coming weather, or informed of it.
BLIND, INFORMED = 0, 1
_VARIABLES = len(WEATHER_NAMES)
_COLUMNS = (*WEATHER_NAMES, "speed", "depression")
_SP, _TP, _U, _V = (WEATHER_NAMES.index(name) for name in ("sp", "tp", "u10", "v10"))
_WEATHER_INPUTS = _VARIABLES + len(_COLUMNS)
_OBSERVED_INPUTS = 2 * len(OBSERVED)
_CALENDAR = 7
_LEAD_SCALE = 72.0
# Hours that drivers are averaged over before each lead time, and that pressure changes over.
_RUNNING_HOURS = (6, 12, 24, 48)
_PRESSURE_HOURS = (6, 24)
_DRIVERS = ("speed", "u10", "v10", "depression", "tp", "t2m", "blh")
_ANCHORS = 3 * len(TARGETS)
# Spread and trend of the place for each forecast pollutant, its level within its area.
_PLACE = 3 * len(TARGETS)
PAST_INPUTS = 2 * _OBSERVED_INPUTS + 2 * _WEATHER_INPUTS + _CALENDAR
# Calendar, lead time, anchors of place and area, climate of the hour (30 days; earlier years with a mask), the place.
BLIND_INPUTS = _CALENDAR + 1 + 2 * _ANCHORS + 3 * len(TARGETS) + _PLACE
INFORMED_INPUTS = BLIND_INPUTS + 1 + 2 * _WEATHER_INPUTS + len(_RUNNING_HOURS) * len(_DRIVERS) + len(_PRESSURE_HOURS)
# Outputs a pollutant: lowest quantile, steps to the others, the mean's distance, the gate of persistence.
_OUTPUTS = len(QUANTILES) + 2


def _scaled(weather: Tensor, level: Tensor) -> Tensor:
    """Take weather (n, h, 9) to deviations from the place's own, with wind speed and dew-point depression.

    Pressure is left out here: only its changes are used, see `_pressure`.

    Parameters
    ----------
    weather : Tensor (n, h, 9)
    level : Tensor (n, 10)
        Means of the place; where one isn't known, that of the hours themselves.

    Returns
    -------
    Tensor (n, h, 11)
        NaN where missing.
    """
    speed = torch.hypot(weather[..., _U], weather[..., _V])[..., None]
    everything = torch.cat([weather, speed], dim=-1)
    here = torch.nanmean(everything, dim=1)
    usual = torch.where(torch.isfinite(level), level, here)[:, None]
    calm = usual[..., -1:].clamp(min=0.5)
    parts = []
    for column, name in enumerate(WEATHER_NAMES):
        value = weather[..., column : column + 1]
        if name in ("u10", "v10"):
            parts.append(value / calm)
        elif name == "tp":
            # A few wet hours hold most of the rain: its logarithm tells wash-out better.
            parts.append(torch.log1p(value))
        else:
            parts.append((value - usual[..., column : column + 1]) / _WEATHER_UNIT[name])
    t2m, d2m = (WEATHER_NAMES.index(name) for name in ("t2m", "d2m"))
    depression = (weather[..., t2m] - weather[..., d2m]) - (usual[..., t2m] - usual[..., d2m])
    parts += [speed / calm - 1.0, depression[..., None] / 6.0]
    return torch.cat(parts, dim=-1).clamp(-6, 6)


def _pressure(past: Tensor, coming: Tensor) -> tuple[Tensor, Tensor]:
    """Return pressure as its change since the init time, (n, 72, 1) and (n, lead, 1), in units of 6 hPa.

    Each side is measured from its own hour at the init time: the orography of a forecast's grid, or a site's altitude,
    changes nothing.
    """
    unit = _WEATHER_UNIT["sp"]
    return (past - _end(past, newest=True)) / unit, (coming - _end(coming, newest=False)) / unit


def _end(values: Tensor, *, newest: bool) -> Tensor:
    """Return the newest or the oldest valid value of each series (n, h, 1), as (n, 1, 1)."""
    hours = torch.arange(values.shape[1], device=values.device)[None, :, None]
    order = hours if newest else values.shape[1] - hours
    at = torch.where(torch.isfinite(values), order, -1).argmax(dim=1, keepdim=True)
    return torch.gather(values, 1, at)


def _masked(scaled: Tensor, variables: int) -> Tensor:
    """Put zero where a value is missing, and the masks of the first `variables` beside."""
    mask = torch.isfinite(scaled[..., :variables]).float()
    return torch.cat([torch.nan_to_num(scaled, nan=0.0), mask], dim=-1)


def _running(past: Tensor, coming: Tensor) -> Tensor:
    """Average the drivers over the hours up to each lead time; the change of pressure over some.

    Parameters
    ----------
    past, coming : Tensor (n, h, 11)
        As from `_scaled` with pressure as from `_pressure`.

    Returns
    -------
    Tensor (n, lead, 30)
        Zero where nothing is known.
    """
    joined = torch.cat([past, coming], dim=1)
    drivers = joined[..., [_COLUMNS.index(name) for name in _DRIVERS]]
    known = torch.isfinite(drivers)
    nothing = torch.zeros_like(drivers[:, :1])
    total = torch.cat([nothing, torch.cumsum(torch.nan_to_num(drivers, nan=0.0), dim=1)], dim=1)
    count = torch.cat([nothing, torch.cumsum(known.float(), dim=1)], dim=1)
    end = torch.arange(HISTORY_HOURS + 1, HISTORY_HOURS + LEAD_HOURS + 1, device=past.device)
    parts = [
        (total[:, end] - total[:, end - hours]) / (count[:, end] - count[:, end - hours]).clamp(min=1)
        for hours in _RUNNING_HOURS
    ]
    pressure = joined[..., _SP]
    change = [pressure[:, end - 1] - pressure[:, end - 1 - hours] for hours in _PRESSURE_HOURS]
    parts.append(torch.nan_to_num(torch.stack(change, dim=-1), nan=0.0))
    return torch.cat(parts, dim=-1)


def _calendar(windows: Windows, hours: np.ndarray, device: torch.device) -> Tensor:
    """Hour of day and day of year (local) and the sun's height as (n, h, 7): two harmonics of the day, one of the year."""
    utc = windows.init_time[:, None] + hours.astype("timedelta64[h]")
    local = utc + (windows.utc_offset[:, None] * 3600).astype("timedelta64[s]")
    day = 2 * np.pi * (local.astype("datetime64[h]").astype(np.int64) % 24) / 24
    start_of_year = local.astype("datetime64[Y]").astype("datetime64[D]")
    year = 2 * np.pi * (local.astype("datetime64[D]") - start_of_year).astype(np.int64) / 365.25
    sun = _sun_height(year, day, windows.latitude[:, None])
    angles = [np.sin(day), np.cos(day), np.sin(2 * day), np.cos(2 * day), np.sin(year), np.cos(year), sun]
    return torch.from_numpy(np.stack(angles, axis=-1).astype(np.float32)).to(device)


def _sun_height(year: np.ndarray, day: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Sine of the sun's height, 0 at night, from local clock time (n, h).

    With the declination 23.45 deg * sin(360 (284 + n) / 365) of day n (Cooper 1969, Solar Energy 12:333); an unknown
    latitude is taken as 35 deg.
    """
    phi = np.deg2rad(np.where(np.isfinite(latitude), latitude, 35.0))
    declination = np.deg2rad(23.45) * np.sin(year + 2 * np.pi * 284 / 365)
    height = np.sin(phi) * np.sin(declination) - np.cos(phi) * np.cos(declination) * np.cos(day)
    return np.asarray(np.maximum(height, 0.0))


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
        own_anchors, area_anchors = (_anchors(z[..., targets]) for z in (own, area))
        past = [
            *(_masked(z, len(OBSERVED)) for z in (own, area)),
            *(_masked(w, _VARIABLES) for w in (own_past, area_past)),
            _calendar(windows, np.arange(1 - HISTORY_HOURS, 1), device),
        ]
        lead = torch.arange(1, LEAD_HOURS + 1, device=device) / _LEAD_SCALE
        level, spread = level_and_spread(windows, device)
        usual = encode_concentration(tensor(windows.same_hour), level, spread)
        earlier = encode_concentration(tensor(windows.monthly), level, spread).clamp(-4, 4)
        coming = [
            _calendar(windows, np.arange(1, LEAD_HOURS + 1), device),
            lead.expand(len(windows), LEAD_HOURS)[..., None],
            own_anchors,
            area_anchors,
            torch.nan_to_num(usual, nan=0.0),
            _masked(earlier, len(TARGETS)),
            _place(windows, tensor).expand(len(windows), LEAD_HOURS, _PLACE),
        ]
        if informed:
            coming.append(tensor(windows.weather_error)[:, None, None].expand(len(windows), LEAD_HOURS, 1))
            coming += [_masked(w, _VARIABLES) for w in (own_ahead, area_ahead)]
            coming.append(_running(area_past, area_ahead))
        return torch.cat(past, dim=-1), torch.cat(coming, dim=-1), own_anchors[:, 0, : len(TARGETS)]

    def _weather(self, past: np.ndarray, coming: np.ndarray, level: np.ndarray) -> tuple[Tensor, Tensor]:
        device = self.seen_weather.device
        known = [torch.where(self.seen_weather, torch.from_numpy(w).to(device), torch.nan) for w in (past, coming)]
        usual = torch.from_numpy(level).to(device)
        scaled = [_scaled(w, usual) for w in known]
        changes = _pressure(*(w[..., _SP : _SP + 1] for w in known))
        for one, change in zip(scaled, changes, strict=True):
            one[..., _SP : _SP + 1] = change.clamp(-6, 6)
        return scaled[0], scaled[1]


def level_and_spread(windows: Windows, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Return what is usual of the forecast pollutants, in a shape that goes with forecasts.

    Parameters
    ----------
    windows : Windows
    device : torch.device, optional
        By default the CPU.

    Returns
    -------
    level, spread : Tensor (n, 1, 2)
        ug m-3, and of the logarithm; see `hazecast.models.background.Background`.
    """
    level, spread = (
        torch.from_numpy(values[:, None, list(TARGETS)]).to(device) for values in (windows.level, windows.spread)
    )
    return level, spread


def _place(windows: Windows, tensor: Callable[[np.ndarray], Tensor]) -> Tensor:
    """What is told of a place besides its ratios, (n, 1, 6): its spread, its trend and its share of the area's level."""
    targets = list(TARGETS)
    spread, level, long_level, area = (
        tensor(values[:, None, targets])
        for values in (windows.spread, windows.level, windows.long_level, windows.area_level)
    )
    return torch.cat([torch.log(spread / 0.65), torch.log(level / long_level), torch.log(level / area)], -1).clamp(
        -3, 3
    )


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
