"""What replays say of probabilities and warnings: with their sampling errors, several together, and a curve fitted to them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.parsing import parse_ruleset
from hazecast.grids.errors import InputError
from hazecast.services.cli.app import app
from hazecast.services.research.replay.calibrate import fit_curve
from hazecast.services.research.replay.judgement import TenthJudged, judged_csi, judged_tenths
from hazecast.services.research.replay.pooled import fit_together, judge, read_replays
from hazecast.services.research.replay.report import csi_lines, reliability_lines
from hazecast.services.research.replay.result import MODEL, PERSISTENCE, WindowScore

BOOK = RuleBook.shipped()
RULES = BOOK.haze_signal
START = datetime(2015, 3, 1, 22, tzinfo=UTC)


def windows_of(chance: float, came: float, number: int = 400, in_a_row: int = 1) -> list[WindowScore]:
    """Return windows, two a day, of one probability, whose event comes in a share of them, so many windows in a row."""
    random = np.random.default_rng(3)
    events = np.repeat(random.random(number // in_a_row) < came, in_a_row)
    return [
        WindowScore(
            "beijing", START + n * timedelta(hours=12), (chance,) * 3, (chance, chance / 50, chance / 90),
            {MODEL: int(chance >= 0.35), PERSISTENCE: int(events[n - 1])}, (bool(event), False, False),
        )
        for n, event in enumerate(events)
    ]  # fmt: skip


def test_a_tenth_is_within_off_or_not_told_by_its_sampling_error() -> None:
    right, wrong = windows_of(0.55, 0.55), windows_of(0.55, 0.85)
    assert judged_tenths(right, 1)[0].verdict == "within" and judged_tenths(wrong, 1)[0].verdict == "off"
    assert judged_tenths(right[:29], 1)[0].verdict == "few"
    # As many windows, but whole weeks of one kind: by chance alone they may be far off.
    weeks = judged_tenths(windows_of(0.55, 0.55, 420, 14), 1)[0]
    assert weeks.high - weeks.low > 2.0 * (judged_tenths(right, 1)[0].high - judged_tenths(right, 1)[0].low)
    assert TenthJudged(0.5, 40, 0.55, 0.66, -0.02, 0.2).verdict == "not told"


def test_all_levels_together_and_the_same_intervals_every_time() -> None:
    windows = [*windows_of(0.15, 0.15), *windows_of(0.75, 0.75)]
    together = judged_tenths(windows)
    assert sum(t.windows for t in together) == 3 * len(windows)
    assert together == judged_tenths(windows) and judged_tenths([]) == []
    lines = reliability_lines(RULES, windows)
    assert "| probability | all levels | yellow | orange | red |" in lines
    assert any(line.startswith("yellow: within 0.05 in 2 of 2 tenths") for line in lines)


def test_the_csi_is_told_beside_persistences_over_the_same_windows() -> None:
    found = judged_csi(windows_of(0.55, 0.6), 1)
    events = found.counts.hits + found.counts.misses
    assert events > 200 and found.model == pytest.approx(events / 400)
    assert found.model_interval[0] < found.model < found.model_interval[1]
    assert found.ahead == pytest.approx(found.model - found.persistence)
    assert found.ahead_interval[0] > 0.0
    # A month holds too few weeks to tell how weeks differ.
    assert math.isnan(judged_csi(windows_of(0.55, 0.6, 36), 1).model_interval[0])
    assert "| red | 0 | - | - | - | - | - | - |" in csi_lines(RULES, windows_of(0.2, 0.2))


def saved(path: Path, windows: list[WindowScore], **changed: object) -> Path:
    meta = {
        "observations": path.stem, "from": START.isoformat(), "to": (START + timedelta(days=200)).isoformat(),
        "every_hours": 12, "weather": "none", "model_id": "network-x", "rule_set": "cma_haze",
        "rule_version": RULES.version, "cities": ["beijing"],
    } | changed  # fmt: skip
    rows = [
        {"city": w.city, "init_time": w.init_time.isoformat(), "shares": w.shares, "probabilities": w.probabilities,
         "in_force": w.in_force, "events": w.events}
        for w in windows
    ]  # fmt: skip
    path.write_text(json.dumps({"meta": meta, "windows": rows}), encoding="utf-8")
    return path


def test_replays_are_judged_together_and_each_by_itself(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{n}.json", windows_of(0.35 + 0.1 * n, 0.4)) for n in range(2)]
    text = judge(read_replays(paths), BOOK)
    assert text.startswith("2 replays, 800 windows, weather: none") and text.count("\n| yellow | ") == 3
    assert "network-x, 1, beijing, 2015-03-01" in text


def test_a_curve_of_replays_keeps_the_shift_only_as_far_as_they_agree() -> None:
    def replay(came: float) -> list[WindowScore]:
        return [
            WindowScore("x", START, (share,), (share,), {}, (number < 100 * comes,))
            for share, comes in ((0.1, 0.1), (0.5, came), (0.9, 0.9))
            for number in range(100)
        ]

    alone, agreed, opposed = (
        fit_curve([replay(c) for c in came], "none") for came in ((0.7,), (0.7, 0.7), (0.45, 0.7))
    )
    assert 0.2 < alone.shift == agreed.shift and agreed.windows == 2 * alone.windows
    low = fit_curve([replay(0.45)], "none")
    assert 0.0 < opposed.shift < (low.shift + alone.shift) / 2


def test_a_curve_is_saved_with_where_it_comes_from(tmp_path: Path) -> None:
    replays = read_replays([saved(tmp_path / "low.json", windows_of(0.5, 0.2))])
    assert fit_together(replays, tmp_path / "curves.toml").windows == 400
    assert "low, beijing" in (tmp_path / "curves.toml").read_text("utf-8")
    with pytest.raises(InputError, match="0 events"):
        fit_together(read_replays([saved(tmp_path / "none.json", windows_of(0.5, 0.0))]))


def test_the_commands_judge_and_calibrate(tmp_path: Path) -> None:
    files = [str(saved(tmp_path / f"{n}.json", windows_of(0.3 + 0.2 * n, 0.4))) for n in range(2)]
    judged = CliRunner().invoke(app, ["judge", *files])
    assert judged.exit_code == 0 and "| level | events | POD | FAR | bias | CSI, model |" in judged.output
    curves = tmp_path / "calibration" / "cma_haze.toml"
    fitted = CliRunner().invoke(app, ["calibrate", *files, "--save", str(curves)])
    assert fitted.exit_code == 0 and "800 windows" in fitted.output
    # A bureau's own rule set takes the curve from there.
    own = parse_ruleset('extends = "cma_haze"\nid = "cma_haze"\n', "cma_haze.toml", tmp_path)
    assert own.calibration is not None and [c.weather for c in own.calibration.curves] == ["none"]


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    fine = saved(tmp_path / "fine.json", windows_of(0.5, 0.5, 20))
    other = "observed weather in place of a forecast (perfect prog)"
    for changed, message in (
        ({"weather": other}, "weather: found observed"),
        ({"rule_version": "1999"}, "rule_version"),
        ({"every_hours": 0}, "every_hours"),
        ({"weather": "crystal ball"}, "crystal ball"),
    ):
        with pytest.raises(InputError, match=message):
            read_replays([fine, saved(tmp_path / "other.json", windows_of(0.5, 0.5, 20), **changed)])
    for text in ("", "[1]", '{"meta": {}}'):
        (tmp_path / "broken.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"broken\.json"):
            read_replays([tmp_path / "broken.json"])
    old = read_replays([saved(tmp_path / "old.json", windows_of(0.5, 0.5, 20), rule_version="1999")])
    with pytest.raises(InputError, match="1999"):
        judge(old, BOOK)
