"""What a forecast is combined from: the model, and the forecasts that anybody has without one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.interface import Float
from hazecast.models.series import TARGETS, Windows

EXPERTS: tuple[str, ...] = ("model", "persistence", "diurnal_persistence", "climatology", "monthly", "guidance")
MODEL, PERSISTENCE, CLIMATOLOGY, GUIDANCE = (
    EXPERTS.index(name) for name in ("model", "persistence", "climatology", "guidance")
)
# First and last lead time (h) of the groups that weights are learned for: the first hours one by one, where what was
# last observed counts most.
LEAD_GROUPS: tuple[tuple[int, int], ...] = (
    (1, 1), (2, 2), (3, 3), (4, 6), (7, 12), (13, 24), (25, 48), (49, 72), (73, LEAD_HOURS),
)  # fmt: skip
# Which group each lead time belongs to, int64 (lead,).
GROUP_OF: npt.NDArray[np.int64] = np.repeat(
    np.arange(len(LEAD_GROUPS)), [last - first + 1 for first, last in LEAD_GROUPS]
)


def expert_points(windows: Windows, mean: Float) -> Float:
    """Return the forecast of each expert.

    Where nothing was observed in the last days, persistence is climatology; where a month has no earlier year, monthly
    climatology is that of the last 30 days; where there is no guidance, it is climatology.

    Parameters
    ----------
    windows : Windows
    mean : float32 (n, lead, 2)
        The model's, ug m-3.

    Returns
    -------
    float32 (n, lead, 2, 6)
        ug m-3, in the order of `EXPERTS`.
    """
    usual = np.where(np.isfinite(windows.same_hour), windows.same_hour, windows.level[:, None, list(TARGETS)])
    observed = windows.history_obs[..., list(TARGETS)]
    newest = np.broadcast_to(last_observed(observed)[:, None], usual.shape)
    parts = [
        mean,
        np.where(np.isfinite(newest), newest, usual),
        _first_known(newest_same_hour(observed), newest, usual),
        usual,
        _first_known(windows.monthly, usual),
        _first_known(windows.guidance, usual),
    ]
    return np.stack(parts, axis=-1).astype(np.float32)


def _first_known(*choices: Float) -> Float:
    result = choices[-1]
    for choice in reversed(choices[:-1]):
        result = np.where(np.isfinite(choice), choice, result)
    return result


def last_observed(history: Float) -> Float:
    """Return the newest valid value of each series.

    Parameters
    ----------
    history : float32 (n, hours, k)

    Returns
    -------
    float32 (n, k)
        NaN where all hours are missing.
    """
    valid = np.isfinite(history)
    newest = history.shape[1] - 1 - np.argmax(valid[:, ::-1], axis=1)
    return np.take_along_axis(history, newest[:, None], axis=1)[:, 0]


def newest_same_hour(history: Float) -> Float:
    """Return for each lead time the newest valid value at its hour of the day.

    Parameters
    ----------
    history : float32 (n, hours, k)
        Whole days; the last row is the init time.

    Returns
    -------
    float32 (n, lead, k)
        NaN where no day has that hour.
    """
    days = history.reshape(len(history), -1, 24, history.shape[-1])
    by_hour = last_observed(days.reshape(len(days), days.shape[1], -1)).reshape(len(days), 24, -1)
    return np.tile(by_hour, (1, -(-LEAD_HOURS // 24), 1))[:, :LEAD_HOURS]
