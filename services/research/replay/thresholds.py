"""Calibrating the probabilities of a rule set, and choosing its thresholds, on a replayed period."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hazecast.alerts.engine.scoring import best_threshold, reliability, threshold_table
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.calibration import Curve
from hazecast.alerts.rules.ruleset import Level
from hazecast.services.research.replay.calibrate import CLASSES, fit_curve, save_curve
from hazecast.services.research.replay.report import reliability_lines
from hazecast.services.research.replay.result import ReplayPlan, ReplayResult, WindowScore
from hazecast.services.research.replay.run import run_replay

_GRID = [round(n / 20, 2) for n in range(1, 20)]


def choose_thresholds(
    plan: ReplayPlan, book: RuleBook | None = None, *, save: Path | None = None, progress: bool = False
) -> tuple[dict[str, Any], str]:
    """Fit the curve of the plan's weather and choose each level's threshold, on a period that the model was not trained on.

    Scored is the probability of each window against what was observed; observations and hysteresis play no part.

    Parameters
    ----------
    plan : ReplayPlan
    book : RuleBook, optional
        Holds the plan's rule set; by default the shipped rule sets.
    save : Path, optional
        A file of curves that the one found is put into.
    progress : bool
        Whether to draw a progress bar.

    Returns
    -------
    table : dict
        ``{"meta": .., "curve": .., "levels": {level: {"cost_loss_ratio", "chosen", "rows": [..], "reliability": [..]}}}``.
    text : str
        The curve, its reliability, and the trade of POD against FAR by level.
    """
    result = run_replay(plan, book, progress=progress)
    curve = fit_curve([result.windows], CLASSES[plan.weather])
    known = calibrated([w for w in result.windows if w.events is not None], curve)
    levels = {level.id: _of_level(level, known) for level in result.rules.levels}
    if save is not None:
        save_curve(curve, _source(result), save)
    lines = [
        f"model {result.model_id}, weather: {result.weather_source}, {len(known)} windows, {result.rules.id}",
        f"logit(probability) = {curve.shift} + {curve.slope} * logit(share)",
        *reliability_lines(result.rules, known),
    ]
    for name, found in levels.items():
        lines += _lines(name, found)
    return {"meta": result.as_dict()["meta"], "curve": curve.model_dump(), "levels": levels}, "\n".join(lines)


def calibrated(windows: Sequence[WindowScore], curve: Curve) -> list[WindowScore]:
    """Return windows with the probabilities that a curve gives for their shares.

    Parameters
    ----------
    windows : sequence of WindowScore
    curve : Curve

    Returns
    -------
    list of WindowScore
    """
    return [replace(w, probabilities=tuple(map(curve.probability, w.shares))) for w in windows]


def _source(result: ReplayResult) -> str:
    plan = result.plan
    return (
        f"{result.model_id}, {plan.observations.name}, {', '.join(result.cities)}, {plan.start:%Y-%m-%d} to "
        f"{plan.end:%Y-%m-%d} every {plan.every} h, {result.rules.id} {result.rules.version}"
    )


def _of_level(level: Level, known: Sequence[WindowScore]) -> dict[str, Any]:
    events = [bool(w.events and w.events[level.rank - 1]) for w in known]
    chances = [w.probabilities[level.rank - 1] for w in known]
    table = threshold_table(chances, events, _GRID)
    rows = [
        {
            "threshold": t,
            "pod": c.pod,
            "far": c.far,
            "csi": c.csi,
            "bias": c.bias,
            "value": c.value(level.cost_loss_ratio),
        }
        for t, c in table
    ]
    return {
        "cost_loss_ratio": level.cost_loss_ratio,
        "chosen": best_threshold(table, level.cost_loss_ratio),
        "events": sum(events),
        "rows": [{k: None if math.isnan(v) else round(v, 4) for k, v in row.items()} for row in rows],
        "reliability": [
            {
                "from": t.lowest,
                "windows": t.cases,
                "probability": round(t.probability, 4),
                "frequency": round(t.frequency, 4),
            }
            for t in reliability(chances, events)
        ],
    }


def _lines(level: str, found: dict[str, Any]) -> list[str]:
    """Write every other row, and the chosen one."""
    chosen, rows = found["chosen"], found["rows"]

    def cells(row: dict[str, Any]) -> str:
        names = ("threshold", "pod", "far", "csi", "bias", "value")
        return " | ".join("-" if row[name] is None else f"{row[name]:.2f}" for name in names)

    return [
        "",
        f"{level}: {found['events']} events, cost-loss ratio {found['cost_loss_ratio']}, chosen {chosen}",
        "| threshold | POD | FAR | CSI | bias | value |",
        "|---|---|---|---|---|---|",
        *(
            f"| {cells(row)} |" + (" chosen" if row["threshold"] == chosen else "")
            for row in rows
            if row["threshold"] == chosen or round(20 * row["threshold"]) % 2
        ),
    ]
