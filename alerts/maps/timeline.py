"""A warning's history as a picture: what was observed and forecast, which level was in force, and when it was met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import matplotlib.dates as mdates
import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hazecast.alerts.engine.scoring import lead_times, onsets, ranks_in_force
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.contract import QUANTILES
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime, to_datetime64

Float = npt.NDArray[np.float64]


def _dates(times: Sequence[datetime]) -> Float:
    return np.asarray(mdates.date2num(times), dtype=np.float64)  # type: ignore[no-untyped-call]


_MARKS = {"issue": "^", "upgrade": "^", "downgrade": "v", "lift": "x", "continue": "|"}


@dataclass
class Episode:
    """What the picture of one city needs; times are aware UTC, concentrations ug m-3.

    Attributes
    ----------
    observed : tuple of times and values
    runs : list of (init time, quantiles (lead_time, quantile))
    persistence : list of (init time, rank in force)
    messages : list of HazeWarning
    met : dict of rank to the observed hours that met it or a higher one
    """

    city: City
    rules: RuleSet
    observed: tuple[list[datetime], Float]
    runs: list[tuple[datetime, Float]] = field(default_factory=list)
    persistence: list[tuple[datetime, int]] = field(default_factory=list)
    messages: list[HazeWarning] = field(default_factory=list)
    met: dict[int, set[datetime]] = field(default_factory=dict)
    label: str = ""

    @classmethod
    def begin(cls, city: City, rules: RuleSet, observations: xr.Dataset, start: datetime, end: datetime) -> Episode:
        """Return an episode with what was observed from a day before `start` to two days after `end`.

        Parameters
        ----------
        city : City
        rules : RuleSet
        observations : xarray.Dataset
            Contract "observations", with ``pm25``.
        start, end : datetime
            Aware; the first and the last init time.

        Returns
        -------
        Episode
        """
        first, last = to_datetime64(start - timedelta(days=1)), to_datetime64(end + timedelta(days=2))
        part = observations["pm25"].sel(city=city.id, time=slice(first, last))
        times = [to_datetime(time) for time in part["time"].values]
        return cls(city, rules, (times, np.asarray(part.values, dtype=np.float64)))

    def add_run(self, init_time: datetime, quantiles: npt.ArrayLike, ranks: dict[str, int]) -> None:
        """Add a forecast, and the ranks in force after it.

        Parameters
        ----------
        init_time : datetime
            Aware.
        quantiles : array_like, (lead_time, quantile)
            PM2.5, ug m-3.
        ranks : dict of str to int
            By source of the forecast; "persistence" is read.
        """
        self.runs.append((init_time, np.asarray(quantiles, dtype=np.float64)))
        self.persistence.append((init_time, ranks.get("persistence", 0)))


def draw_timeline(episode: Episode) -> bytes:
    """Return the picture as PNG.

    Above: observed PM2.5, and of each forecast the hours until the next one (median and the range from the
    0.1 to the 0.9 quantile). Below: the levels observed, warned of by the model, and by persistence; the
    first hour of each episode and the lead time of its warning.
    """
    figure = Figure(figsize=(11, 6.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.4))
    zone = ZoneInfo(episode.city.time_zone)
    _concentrations(above, episode)
    _levels(below, episode)
    span = episode.observed[0][-1] - episode.observed[0][0]
    form = "%d %b" if span < timedelta(days=60) else "%b %Y"
    below.xaxis.set_major_locator(mdates.AutoDateLocator(tz=zone, minticks=5, maxticks=16))  # type: ignore[no-untyped-call]
    below.xaxis.set_major_formatter(mdates.DateFormatter(form, tz=zone))  # type: ignore[no-untyped-call]
    below.xaxis_date(tz=zone)
    below.set_xlabel(f"{episode.observed[0][0].astimezone(zone):%Y}, {episode.city.time_zone}")
    above.set_title(f"{episode.rules.name_en}, {episode.city.name_en}: {episode.label}", fontsize=10, loc="left")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "Hazecast"})
    return buffer.getvalue()


def _concentrations(axes: Axes, episode: Episode) -> None:
    times, values = episode.observed
    low, middle, high = 0, QUANTILES.index(0.5), len(QUANTILES) - 1
    for number, (init, quantiles) in enumerate(episode.runs):
        until = episode.runs[number + 1][0] if number + 1 < len(episode.runs) else init + timedelta(hours=24)
        hours = min(int((until - init) / timedelta(hours=1)), len(quantiles))
        when = _dates([init + timedelta(hours=h + 1) for h in range(hours)])
        axes.fill_between(
            when, quantiles[:hours, low], quantiles[:hours, high], color="#9ecae1", alpha=0.6, linewidth=0
        )
        axes.plot(when, quantiles[:hours, middle], color="#08519c", linewidth=1.0)
    axes.plot(_dates(times), values, color="black", linewidth=1.2, label="observed PM2.5")
    axes.plot([], [], color="#08519c", label="forecast as issued, until the next: median")
    axes.fill_between([], [], [], color="#9ecae1", alpha=0.6, label="forecast, 10 to 90 %")
    axes.set_ylabel("PM2.5, ug/m3")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", fontsize=8)


def _levels(axes: Axes, episode: Episode) -> None:
    rules = episode.rules
    colours = {level.rank: level.colour for level in rules.levels}

    def bar(start: datetime, end: datetime, row: float, rank: int) -> None:
        left = _dates([start])[0]
        width = (end - start) / timedelta(days=1)
        axes.barh(row, width, 0.62, left, color=colours[rank], edgecolor="none", zorder=2)

    for rank in sorted(episode.met):
        for hour in episode.met[rank]:
            bar(hour - timedelta(hours=1), hour, 2, rank)
    for start, end, rank in ranks_in_force(episode.messages, rules):
        bar(start, end, 1, rank)
    for number, (init, rank) in enumerate(episode.persistence):
        if rank and number + 1 < len(episode.persistence):
            bar(init, episode.persistence[number + 1][0], 0, rank)
    for message in episode.messages:
        if message.kind != "continue":
            axes.plot(_dates([message.issued]), [1.0], _MARKS[message.kind], color="black", markersize=5, zorder=3)
    for rank in sorted(episode.met):
        for lead in lead_times(onsets(episode.met[rank]), episode.messages, rules, rank):
            text = "not warned" if lead.hours is None else f"{lead.hours:+.0f} h"
            axes.axvline(_dates([lead.onset])[0], color=colours[rank], linewidth=0.8, linestyle=":", zorder=1)
            when = _dates([lead.onset])[0]
            axes.text(when, 2.42 + 0.3 * (rank - 1), text, fontsize=7, ha="center", va="bottom")
    axes.set_yticks([2, 1, 0], ["observed", "warned", "persistence"])
    axes.set_ylim(-0.5, 2.5 + 0.3 * len(rules.levels))
    handles = [Patch(color=level.colour, label=level.name_en) for level in rules.levels]
    marks = [
        axes.plot([], [], mark, color="black", markersize=5, label=name)[0]
        for name, mark in (("issue or upgrade", "^"), ("downgrade", "v"), ("lift", "x"))
    ]
    axes.legend(handles=[*handles, *marks], loc="upper left", fontsize=7, ncols=6, bbox_to_anchor=(0, -0.25))
