"""What the windows of replays say of probabilities and warnings, and how far chance could have moved it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hazecast.alerts.engine.sampling import interval, redrawn, weeks_of
from hazecast.alerts.engine.scoring import Contingency, contingency, reliability
from hazecast.services.research.replay.result import MODEL, PERSISTENCE, WindowScore

# The aim: a stated probability comes true to within this, in every tenth that holds so many windows.
CLOSE, FEWEST = 0.05, 30
# A critical success index has an interval only where so many weeks hold an event or a warning: fewer can't tell how weeks differ.
_FEWEST_WEEKS = 5
Verdict = Literal["within", "not told", "off", "few"]


@dataclass(frozen=True)
class TenthJudged:
    """The windows of one tenth of the probability.

    Attributes
    ----------
    lowest : float
    windows : int
    probability, frequency : float
        Mean probability, and how often the event came.
    low, high : float
        Interval of 95 % of frequency less probability.
    """

    lowest: float
    windows: int
    probability: float
    frequency: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Whether it is within `CLOSE`; "not told" where it isn't but chance alone could be why, "few" below `FEWEST` windows."""
        if self.windows < FEWEST:
            return "few"
        if abs(self.frequency - self.probability) <= CLOSE:
            return "within"
        return "off" if self.low > CLOSE or self.high < -CLOSE else "not told"


@dataclass(frozen=True)
class CsiJudged:
    """The critical success index of the model's warnings and persistence's over the same windows, with intervals of 95 %.

    `counts` is the model's table.
    """

    counts: Contingency
    model: float
    model_interval: tuple[float, float]
    persistence: float
    persistence_interval: tuple[float, float]
    ahead: float
    ahead_interval: tuple[float, float]


def known(windows: Sequence[WindowScore]) -> list[WindowScore]:
    """Return the windows whose events are known."""
    return [w for w in windows if w.events is not None]


def judged_tenths(windows: Sequence[WindowScore], rank: int | None = None) -> list[TenthJudged]:
    """Compare probabilities with what came, by tenths, each with its sampling error.

    Parameters
    ----------
    windows : sequence of WindowScore
        Those whose events are known count.
    rank : int, optional
        One level; by default all together.

    Returns
    -------
    list of TenthJudged
        Those with a window, rising.
    """
    counted = known(windows)
    if not counted:
        return []
    ranks = range(len(counted[0].probabilities)) if rank is None else (rank - 1,)
    blocks = np.repeat(_weeks(counted), len(ranks))
    given = np.array([w.probabilities[r] for w in counted for r in ranks])
    came = np.array([bool(w.events and w.events[r]) for w in counted for r in ranks])
    # As in `reliability`.
    tenth = np.minimum((given * 10.0 + 1e-9).astype(np.int64), 9)
    inside = tenth[:, None] == np.arange(10)
    sums = redrawn(blocks, np.stack([inside * 1.0, inside * given[:, None], inside * came[:, None]], axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        off = (sums[..., 2] - sums[..., 1]) / sums[..., 0]
    return [
        TenthJudged(t.lowest, t.cases, t.probability, t.frequency, *interval(off[:, round(10 * t.lowest)]))
        for t in reliability([*given], [*came])
    ]


def judged_csi(windows: Sequence[WindowScore], rank: int) -> CsiJudged:
    """Return the critical success index of a level, or higher, with its sampling error, beside persistence's.

    Parameters
    ----------
    windows : sequence of WindowScore
        Those whose events are known count.
    rank : int
        Of the level, from 1.

    Returns
    -------
    CsiJudged
        `ahead` is the model's less persistence's. An interval is NaN where fewer than 5 weeks hold an event or a warning.
    """
    counted = known(windows)
    came = [bool(w.events and w.events[rank - 1]) for w in counted]
    weeks = _weeks(counted)
    counts, draws = {}, {}
    for source in (MODEL, PERSISTENCE):
        warned = [w.in_force[source] >= rank for w in counted]
        counts[source] = contingency(warned, came)
        hits, any_of = np.logical_and(warned, came), np.logical_or(warned, came)
        sums = redrawn(weeks, np.stack([hits, any_of], axis=-1).astype(np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            draws[source] = sums[:, 0] / sums[:, 1]
        if len(np.unique(weeks[any_of])) < _FEWEST_WEEKS:
            draws[source][:] = np.nan
    ahead = counts[MODEL].csi - counts[PERSISTENCE].csi
    return CsiJudged(
        counts[MODEL], counts[MODEL].csi, interval(draws[MODEL]), counts[PERSISTENCE].csi, interval(draws[PERSISTENCE]),
        ahead, interval(draws[MODEL] - draws[PERSISTENCE]),
    )  # fmt: skip


def _weeks(windows: Sequence[WindowScore]) -> npt.NDArray[np.int64]:
    return weeks_of([w.city for w in windows], [w.init_time for w in windows])
