"""The gate into service: whether a trained model is better than the one in service, on windows that neither has seen.

It takes the scores of both and the model's card, and gives a verdict in plain sentences. Whoever reads the scores is
in `hazecast.services.research.promotion`; a model that does not pass is promoted only by force, with a recorded reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hazecast.grids.contract import FORECAST_POLLUTANTS

# Hours of lead time over which a model must be better, and those over which it must not be worse.
_JUDGED, _BEYOND = "1-72", "73-120"
_NAMES = {"pm25": "PM2.5", "o3": "O3"}


@dataclass(frozen=True)
class GateRules:
    """What a model must show; the numbers are this service's choices.

    Attributes
    ----------
    margin : float
        Share by which a place's RMSE may be larger than that of the model in service.
    days, windows : int
        Fewest days of init times, and fewest windows, that both models are scored on.
    drawn : int
        Fewest windows that the training drew: 20,000 are some 150 steps of 128, of which the shipped model took 600.
    place_pairs : int
        Fewest pairs of forecast and observation up to 72 h with which a place is judged by itself: 30 windows.
    """

    margin: float = 0.05
    days: int = 30
    windows: int = 500
    drawn: int = 20_000
    place_pairs: int = 30 * 72


@dataclass(frozen=True)
class Verdict:
    """Whether a model may take the place of another.

    Attributes
    ----------
    candidate, other : str
        Ids of the model and of the one in service.
    reasons : tuple of str
        Why not, in sentences; empty if it passes.
    findings : tuple of str
        What was measured, in sentences.
    """

    candidate: str
    other: str
    reasons: tuple[str, ...]
    findings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the gate is open."""
        return not self.reasons

    def __str__(self) -> str:
        """Return the verdict in one line."""
        head = "passed the gate" if self.passed else "did not pass the gate"
        return f"{head}: {' '.join(self.reasons or self.findings)}"


def decide(comparison: Mapping[str, Any], card: Mapping[str, Any], rules: GateRules) -> Verdict:
    """Decide whether a model passes.

    It passes if there are enough windows, its training was not trivial, its RMSE of PM2.5 over 1 to 72 h is smaller with
    the upper bound of the ratio's 95 % interval below 1, neither PM2.5 over 73 to 120 h nor O3 is worse beyond
    chance (lower bound above 1), and no place's RMSE over 1 to 72 h is larger by more than the margin.

    Parameters
    ----------
    comparison : mapping
        As `hazecast.services.research.model_scores.compare_models` returns it, the candidate first.
    card : mapping
        The candidate's model card.
    rules : GateRules

    Returns
    -------
    Verdict
    """
    meta = comparison["meta"]
    reasons = [*_enough(meta, rules), *_trained(card, rules)]
    findings = [f"{meta['windows']} windows of {meta['days']} days that neither model has seen."]
    for pollutant in FORECAST_POLLUTANTS:
        for hours in (_JUDGED, _BEYOND):
            ratio = comparison["differences"][pollutant]["rmse_ratio"][hours]
            found, fault = _overall(pollutant, hours, ratio)
            findings.append(found)
            if fault:
                reasons.append(fault)
    of_places, faults = _places(comparison, rules)
    return Verdict(meta["candidate"], meta["other"], (*reasons, *faults), (*findings, *of_places))


def _enough(meta: Mapping[str, Any], rules: GateRules) -> list[str]:
    if meta["days"] >= rules.days and meta["windows"] >= rules.windows:
        return []
    return [
        f"Only {meta['windows']} windows of {meta['days']} days that neither model has seen: "
        f"{rules.windows} windows and {rules.days} days are needed."
    ]


def _trained(card: Mapping[str, Any], rules: GateRules) -> list[str]:
    drawn = card.get("windows_drawn", card.get("windows_available"))
    if drawn is None:
        return ["The model's card does not say from how many windows it learned."]
    if drawn < rules.drawn:
        return [f"It learned from {drawn} windows: {rules.drawn} are the least."]
    return []


def _overall(pollutant: str, hours: str, ratio: Mapping[str, float | None]) -> tuple[str, str | None]:
    """Return what was found for a pollutant over all places, and why that is not enough, if so."""
    name, must_win = _NAMES[pollutant], pollutant == "pm25" and hours == _JUDGED
    value, low, high = (ratio[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        found = f"{name} over {hours} h: no observations to compare with."
        return found, found if must_win else None
    found = f"{name} over {hours} h: RMSE {value:.3f} times that of the model in service ({low:.3f} to {high:.3f})."
    if must_win and high >= 1:
        return found, f"{found[:-1]}: not better beyond chance."
    return found, f"{found[:-1]}: worse beyond chance." if low > 1 else None


def _places(comparison: Mapping[str, Any], rules: GateRules) -> tuple[list[str], list[str]]:
    """Return how many places were judged, and which of them are worse by more than the margin."""
    candidate, other = comparison["meta"]["candidate"], comparison["meta"]["other"]
    judged: set[str] = set()
    worse: set[str] = set()
    faults, unjudged = [], []
    for place, tables in comparison["by_station"].items():
        for pollutant in FORECAST_POLLUTANTS:
            own, others = (tables[model][pollutant] for model in (candidate, other))
            mine, theirs = own["rmse"][_JUDGED], others["rmse"][_JUDGED]
            if mine is None or theirs is None or own["n"][_JUDGED] < rules.place_pairs:
                continue
            judged.add(place)
            if mine > (1 + rules.margin) * theirs:
                worse.add(place)
                faults.append(
                    f"{place}: RMSE of {_NAMES[pollutant]} over {_JUDGED} h {mine:.1f} against {theirs:.1f} ug m-3, "
                    f"more than {rules.margin:.0%} larger."
                )
        if place not in judged:
            unjudged.append(place)
    found = [f"{len(judged - worse)} of {len(judged)} places at most {rules.margin:.0%} worse."]
    if unjudged:
        found.append(f"Too few observations to judge {', '.join(unjudged)} alone.")
    if not judged:
        faults.append("No place has enough observations to be judged.")
    return found, faults
