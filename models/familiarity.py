"""Whether the inputs of a forecast lie within what training saw: a model says nothing of it by itself.

A unit that is wrong, a source that changed, or past and coming weather that do not belong together show in a few numbers
of each window. Their range in training is kept with the model; a window outside it is reported, with the number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hazecast.models.features import mean_of
from hazecast.models.interface import Float
from hazecast.models.series import OBSERVED, WEATHER_NAMES, Windows, WindowSet

# What is looked at, in words and units.
MEASURES: tuple[str, ...] = (
    "logarithm of the ratio of the coming to the past mean wind speed",
    "coming less past mean temperature, K",
    "coming less past mean dew-point depression, K",
    "logarithm of the PM2.5 level, ug m-3",
    "logarithm of the O3 level, ug m-3",
    "spread of the logarithm of PM2.5",
)
# Share of the training windows that lie outside on each side.
_OUTSIDE = 0.001
_SAMPLE = 4_000
# How far beyond training each measure may lie: a concentration as such may well be a third of any that was seen, since
# the network works on ratios.
_MARGIN: Float = np.array([0.2, 2.0, 2.0, 1.1, 1.1, 0.2], np.float32)


@dataclass(frozen=True)
class Unfamiliar:
    """A measure of a window that lies outside what training saw.

    Attributes
    ----------
    place, measure : str
    value, low, high : float
        The window's, and the range of training with its margin.
    """

    place: str
    measure: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.place}: {self.measure} is {self.value:.2f}, expected {self.low:.2f} to {self.high:.2f} from training"


def measures(windows: Windows) -> Float:
    """Return the measures of each window, float32 (n, 6), in the order of `MEASURES`; NaN where unknown."""
    t2m, d2m, u10, v10 = (WEATHER_NAMES.index(name) for name in ("t2m", "d2m", "u10", "v10"))

    def means(weather: Float) -> tuple[Float, Float, Float]:
        speed = np.hypot(weather[..., u10], weather[..., v10])
        return mean_of(speed), mean_of(weather[..., t2m]), mean_of(weather[..., t2m] - weather[..., d2m])

    past, coming = means(windows.history_weather), means(windows.future_weather)
    pm25, o3 = OBSERVED.index("pm25"), OBSERVED.index("o3")
    return np.stack(
        [
            np.log((coming[0] + 0.1) / (past[0] + 0.1)),
            coming[1] - past[1],
            coming[2] - past[2],
            np.log(np.maximum(windows.level[:, pm25], 0.1)),
            np.log(np.maximum(windows.level[:, o3], 0.1)),
            windows.spread[:, pm25],
        ],
        axis=1,
    ).astype(np.float32)


def training_range(train: WindowSet, seed: int = 0) -> Float:
    """Return the lowest and the highest of each measure in training, float32 (2, 6), but for one window in a thousand.

    Parameters
    ----------
    train : WindowSet
    seed : int
        Of the sample that is looked at.

    Returns
    -------
    float32 (2, 6)
        NaN where training never held what is measured.
    """
    rows = np.random.default_rng(seed).choice(len(train), min(_SAMPLE, len(train)), replace=False)
    values = measures(train.batch(rows, future_weather=True))
    result = np.full((2, len(MEASURES)), np.nan, np.float32)
    for column in range(len(MEASURES)):
        valid = values[np.isfinite(values[:, column]), column]
        if len(valid):
            result[:, column] = np.quantile(valid, [_OUTSIDE, 1 - _OUTSIDE])
    return result


def unfamiliar(windows: Windows, familiar: Float) -> list[Unfamiliar]:
    """Return what lies outside the range in training.

    Parameters
    ----------
    windows : Windows
    familiar : float32 (2, 6)
        As from `training_range`.

    Returns
    -------
    list of Unfamiliar
    """
    values = measures(windows)
    low, high = familiar[0] - _MARGIN, familiar[1] + _MARGIN
    with np.errstate(invalid="ignore"):
        outside = (values < low) | (values > high)
    return [
        Unfamiliar(
            str(windows.place[row]), MEASURES[column], float(values[row, column]),
            float(low[column]), float(high[column]),
        )
        for row, column in zip(*np.nonzero(outside), strict=True)
    ]  # fmt: skip
