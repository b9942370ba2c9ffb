"""From the share of scenarios that meet a level to the probability that is published.

The share is right where the forecast's quantiles and the dependence between hours are. What is left is learned from windows of
past forecasts and what came: for each kind of coming weather a curve of two numbers, the same for all levels,

    logit(probability) = shift + slope * logit(share),     slope > 0

(logistic recalibration; Cox 1958, Biometrika 45:562). The curves of a rule set are a file of ``alerts/rules/calibration``, named
after it, with where they come from; ``hazecast thresholds --save`` writes it. A rule set without one publishes the share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from hazecast.alerts.rules.criteria import FrozenModel

WeatherClass = Literal["none", "forecast", "observed"]
# By how a forecast names where its humidity is from: hazecast.forecast.produce.humidity_ahead.
_CLASSES: dict[str, WeatherClass] = {
    "none": "none",
    "diurnal persistence": "none",
    "mixed": "forecast",
    "forecast weather": "forecast",
    "observed weather": "observed",
}
# A share of 0 or 1 among some hundred scenarios leaves room: it counts as half a scenario away.
_ROOM = 0.005


class Curve(FrozenModel):
    """The curve under one kind of coming weather, with the windows it was fitted to and the levels met in them."""

    weather: WeatherClass
    shift: float = Field(ge=-10.0, le=10.0)
    slope: float = Field(gt=0.0, le=10.0)
    windows: int = Field(ge=1)
    events: int = Field(ge=1)

    def probability(self, share: float) -> float:
        """Return the probability of a share, both 0 to 1; it rises with the share."""
        return _logistic(self.shift + self.slope * _logit(share))

    def share(self, probability: float) -> float:
        """Return the share that has a probability."""
        return _logistic((_logit(probability) - self.shift) / self.slope)


class Calibration(FrozenModel):
    """The curves of a rule set.

    Attributes
    ----------
    source : str
        Which forecasts and observations they were fitted to.
    curves : tuple of Curve
    """

    source: str = Field(min_length=1)
    curves: tuple[Curve, ...]

    @model_validator(mode="after")
    def _once_each(self) -> Calibration:
        if len({c.weather for c in self.curves}) < len(self.curves):
            raise ValueError("a curve for each kind of weather once")
        return self

    def curve(self, weather: WeatherClass) -> Curve | None:
        """Return the curve of a kind of weather, None where there is none."""
        return next((c for c in self.curves if c.weather == weather), None)


def weather_class(attributes: Mapping[Any, Any]) -> WeatherClass:
    """Return which kind of coming weather a forecast was made with, by its attributes."""
    known = _CLASSES.get(str(attributes.get("humidity_source", "")))
    if known is not None:
        return known
    return "none" if attributes["weather_source"] == "none" else "forecast"


def _logit(share: float) -> float:
    inside = min(max(share, _ROOM), 1.0 - _ROOM)
    return math.log(inside / (1.0 - inside))


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))
