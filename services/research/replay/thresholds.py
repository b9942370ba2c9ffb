"""Choosing the probability thresholds of a rule set on a replayed period."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hazecast.alerts.engine.scoring import best_threshold, threshold_table
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import Level
from hazecast.forecast.dependence import COUNT
from hazecast.services.research.replay.result import ReplayPlan, WindowScore
from hazecast.services.research.replay.run import run_replay


def choose_thresholds(
    plan: ReplayPlan, book: RuleBook | None = None, *, progress: bool = False
) -> tuple[dict[str, Any], str]:
    """Choose each level's probability threshold on a period that the model was not trained on.

    Scored is the probability of each window against what was observed; observations and hysteresis play no part.

    Parameters
    ----------
    plan : ReplayPlan
    book : RuleBook, optional
        Holds the plan's rule set; by default the shipped rule sets.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    table : dict
        ``{"meta": .., "levels": {level: {"cost_loss_ratio", "chosen", "rows": [..]}}}``.
    text : str
        The trade of POD against FAR by level.
    """
    result = run_replay(plan, book, progress=progress)
    known = [w for w in result.windows if w.events is not None]
    levels = {level.id: _of_level(level, known) for level in result.rules.levels}
    lines = [f"model {result.model_id}, weather: {result.weather_source}, {len(known)} windows, {result.rules.id}"]
    for name, found in levels.items():
        lines += _lines(name, found)
    return {"meta": result.as_dict()["meta"], "levels": levels}, "\n".join(lines)


def _of_level(level: Level, known: Sequence[WindowScore]) -> dict[str, Any]:
    grid = [round(n / COUNT, 4) for n in range(1, COUNT + 1, 2)]
    events = [bool(w.events and w.events[level.rank - 1]) for w in known]
    table = threshold_table([w.probabilities[level.rank - 1] for w in known], events, grid)
    rows = [
        {"threshold": t, "pod": c.pod, "far": c.far, "csi": c.csi, "value": c.value(level.cost_loss_ratio)}
        for t, c in table
    ]
    return {
        "cost_loss_ratio": level.cost_loss_ratio,
        "chosen": best_threshold(table, level.cost_loss_ratio),
        "events": sum(events),
        "rows": [{k: None if math.isnan(v) else round(v, 4) for k, v in row.items()} for row in rows],
    }


def _lines(level: str, found: dict[str, Any]) -> list[str]:
    """Write every other row, and the chosen one."""
    chosen, rows = found["chosen"], found["rows"]

    def cells(row: dict[str, Any]) -> str:
        names = ("threshold", "pod", "far", "csi", "value")
        return " | ".join("nan" if row[name] is None else f"{row[name]:.2f}" for name in names)

    return [
        "",
        f"{level}: {found['events']} events, cost-loss ratio {found['cost_loss_ratio']}, chosen {chosen}",
        "| threshold | POD | FAR | CSI | value |",
        "|---|---|---|---|---|",
        *(
            f"| {cells(row)} |" + (" chosen" if row["threshold"] == chosen else "")
            for row in rows[::2] + [x for x in rows[1::2] if x["threshold"] == chosen]
        ),
    ]
