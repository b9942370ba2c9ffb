"""The gate into service: better beyond chance, nowhere much worse, on enough windows, after a real training."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hazecast.models.gate import GateRules, decide

RULES = GateRules()
CARD = {"windows_drawn": 80_000}
BETTER, LIKE, WORSE = (0.90, 0.87, 0.93), (1.0, 0.97, 1.03), (1.10, 1.06, 1.14)


def comparison(
    pm25: tuple[float, float, float] | None = BETTER,
    pm25_later: tuple[float, float, float] = LIKE,
    o3: tuple[float, float, float] | None = LIKE,
    *,
    places: dict[str, float] | None = None,
    pairs: int = 50_000,
    days: int = 60,
    windows: int = 1_000,
) -> dict[str, Any]:
    """Scores of "new" and "old": ratios of RMSE with their intervals, and by place the RMSE of new where old has 20."""

    def ratio(values: tuple[float, float, float] | None) -> dict[str, float | None]:
        return dict(zip(("value", "low", "high"), values or (None, None, None), strict=True))

    def table(rmse: float | None) -> dict[str, Any]:
        return {name: {"rmse": {"1-72": rmse}, "n": {"1-72": pairs}} for name in ("pm25", "o3")}

    given = {"beijing": 18.0, "tokyo": 19.0} if places is None else places
    return {
        "differences": {
            "pm25": {"rmse_ratio": {"1-72": ratio(pm25), "73-120": ratio(pm25_later)}},
            "o3": {"rmse_ratio": {"1-72": ratio(o3), "73-120": ratio(o3)}},
        },
        "by_station": {place: {"new": table(rmse), "old": table(20.0)} for place, rmse in given.items()},
        "meta": {"candidate": "new", "other": "old", "days": days, "windows": windows},
    }


def test_a_better_model_passes_and_what_was_found_is_said() -> None:
    verdict = decide(comparison(), CARD, RULES)
    assert verdict.passed and verdict.reasons == () and (verdict.candidate, verdict.other) == ("new", "old")
    assert "PM2.5 over 1-72 h: RMSE 0.900 times that of the model in service (0.870 to 0.930)." in verdict.findings
    assert "2 of 2 places at most 5% worse." in verdict.findings
    assert str(verdict).startswith("passed the gate: 1000 windows of 60 days")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pm25": LIKE}, "not better beyond chance"),
        ({"pm25": (0.97, 0.93, 1.0)}, "not better beyond chance"),
        ({"pm25": None}, "no observations to compare with"),
        ({"pm25_later": WORSE}, "PM2.5 over 73-120 h.*worse beyond chance"),
        ({"o3": WORSE}, "O3 over 1-72 h.*worse beyond chance"),
        ({"places": {"beijing": 15.0, "tokyo": 21.1}}, "tokyo: RMSE of PM2.5.*21.1 against 20.0.*more than 5% larger"),
        ({"days": 29}, "1000 windows of 29 days.*500 windows and 30 days are needed"),
        ({"windows": 499}, "499 windows"),
        ({"pairs": 2_000}, "No place has enough observations"),
    ],
)
def test_each_shortcoming_alone_shuts_the_gate_with_its_reason(changes, said) -> None:
    verdict = decide(comparison(**changes), CARD, RULES)
    assert not verdict.passed
    assert any(re.search(said, reason) for reason in verdict.reasons), verdict.reasons
    assert str(verdict).startswith("did not pass the gate: ")


def test_a_city_within_the_margin_and_missing_ozone_shut_no_gate() -> None:
    assert decide(comparison(places={"beijing": 15.0, "tokyo": 20.9}), CARD, RULES).passed
    assert not decide(comparison(places={"beijing": 15.0, "tokyo": 20.9}), CARD, GateRules(margin=0.04)).passed
    verdict = decide(comparison(o3=None), CARD, RULES)
    assert verdict.passed and "O3 over 1-72 h: no observations to compare with." in verdict.findings
    assert decide(comparison(places={"beijing": 15.0, "new town": None}), CARD, RULES).passed


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"windows_drawn": 1_280}, "It learned from 1280 windows: 20000 are the least."),
        ({"windows_available": 5_000}, "It learned from 5000 windows"),
        ({}, "does not say"),
    ],
)
def test_a_model_of_ten_training_batches_never_passes(card, said) -> None:
    verdict = decide(comparison(), card, RULES)
    assert not verdict.passed and said in verdict.reasons[0]
