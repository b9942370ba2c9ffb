"""What is published for a share of scenarios: rising, its inverse exact, by the kind of weather, read beside the rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.alerts.engine.scoring import reliability
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.calibration import Calibration, Curve, weather_class
from hazecast.alerts.rules.parsing import parse_ruleset
from hazecast.grids.errors import InputError
from hazecast.services.research.replay.calibrate import fit_curve, save_curve
from hazecast.services.research.replay.result import WindowScore

RULES = RuleBook.shipped().haze_signal
CLASSES = ("none", "forecast", "observed")
shares = st.floats(0.0, 1.0)


@given(shares, shares, st.sampled_from(CLASSES))
def test_the_probability_rises_with_the_share_and_can_be_inverted(a: float, b: float, weather) -> None:
    low, high = sorted((a, b))
    assert 0.0 < RULES.probability(weather, low) <= RULES.probability(weather, high) < 1.0
    inside = min(max(a, 0.02), 0.98)
    assert RULES.share(weather, RULES.probability(weather, inside)) == pytest.approx(inside, abs=0.01)


def test_each_kind_of_weather_has_its_curve_and_a_rule_set_without_one_publishes_the_share() -> None:
    assert RULES.calibration is not None and {c.weather for c in RULES.calibration.curves} == set(CLASSES)
    assert weather_class({"humidity_source": "diurnal persistence", "weather_source": "none"}) == "none"
    assert weather_class({"humidity_source": "observed weather", "weather_source": "x"}) == "observed"
    assert (
        weather_class({"weather_source": "gfs"}) == "forecast" and weather_class({"weather_source": "none"}) == "none"
    )
    japan = RuleBook.shipped().rule_set("jp_pm25")
    assert japan.probability("none", 0.3) == 0.3 == japan.share("none", 0.3)


def test_a_bureaus_own_curves_come_before_the_shipped_ones(tmp_path) -> None:
    own = 'extends = "cma_haze"\nid = "cma_haze"\n'
    assert parse_ruleset(own, "cma_haze.toml", tmp_path).calibration == RULES.calibration
    curve = Curve(weather="none", shift=0.0, slope=2.0, windows=100, events=20)
    save_curve(curve, "a test", tmp_path / "calibration" / "cma_haze.toml")
    found = parse_ruleset(own, "cma_haze.toml", tmp_path).calibration
    assert found is not None and found.curves == (curve,)
    both = save_curve(
        curve.model_copy(update={"weather": "forecast"}), "more", tmp_path / "calibration" / "cma_haze.toml"
    )
    assert [c.weather for c in both.curves] == ["forecast", "none"] and both.source == "forecast: more; none: a test"
    with pytest.raises(ValueError, match="once"):
        Calibration(source="x", curves=(curve, curve))


def test_a_curve_is_fitted_to_what_came() -> None:
    # Of a share of 0.3, half came true; of 0.6, nine in ten.
    windows = [
        WindowScore("x", None, (share,), (share,), {}, (number < came,))  # type: ignore[arg-type]
        for share, came in ((0.3, 50), (0.6, 90), (0.05, 5))
        for number in range(100)
    ]
    curve = fit_curve([windows], "none")
    assert curve.probability(0.3) == pytest.approx(0.5, abs=0.06) and curve.probability(0.6) > 0.8
    assert (curve.windows, curve.events) == (300, 145)
    with pytest.raises(InputError, match="events"):
        fit_curve([windows[-20:]], "none")


def test_reliability_by_tenths() -> None:
    found = reliability([0.05, 0.05, 0.31, 0.39, 1.0], [False, True, False, True, True])
    assert [(t.lowest, t.cases, t.frequency) for t in found] == [(0.0, 2, 0.5), (0.3, 2, 0.5), (0.9, 1, 1.0)]
    assert found[1].probability == pytest.approx(0.35) and found[0].off == pytest.approx(0.45)
