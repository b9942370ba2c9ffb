"""Replays of real episodes, thresholds on real data, and the pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hazecast.alerts.engine.day_evidence import shows
from hazecast.alerts.maps.timeline import draw_timeline
from hazecast.grids.errors import InputError
from hazecast.services.cli.app import app
from hazecast.services.research.replay.result import MODEL, PERSISTENCE, ReplayPlan, score_table
from hazecast.services.research.replay.run import run_replay
from hazecast.services.research.replay.thresholds import choose_thresholds

START, END = datetime(2013, 1, 8, 22, tzinfo=UTC), datetime(2013, 1, 15, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def january(shared_data: Path):
    return run_replay(ReplayPlan(shared_data / "five-cities", START, END, ("beijing",)))


def test_january_2013_has_a_sensible_history(january) -> None:
    messages = january.messages[MODEL]
    kinds = [m.kind for m in messages]
    assert kinds[0] == "issue" and kinds.count("issue") == 1 and "upgrade" in kinds
    assert {"orange", "red"} <= {m.level for m in messages}
    # The single hour of red on the morning of the 11th is no red that persists; that begins in the afternoon of the 12th.
    first_red = min(january.met["beijing"][3])
    assert first_red.date() == datetime(2013, 1, 12).date()
    assert messages[0].issued < first_red
    for before, after in pairwise(messages):
        assert after.references == (*before.references, before.id)
    assert all(m.probability is not None and m.reason for m in messages)
    table = score_table(january)
    assert table[MODEL]["yellow"]["pod"] >= table[PERSISTENCE]["yellow"]["pod"]
    assert table[MODEL]["yellow"]["episodes"] >= 1


def test_a_replay_sees_no_future_and_can_go_on_anywhere(january, shared_data) -> None:
    # The first cycles of a shorter replay are those of the longer one: nothing later is read.
    short = run_replay(ReplayPlan(shared_data / "five-cities", START, START + timedelta(hours=36), ("beijing",)))
    until = START + timedelta(hours=36)
    assert short.messages[MODEL] == [m for m in january.messages[MODEL] if m.issued <= until]


def test_picture_and_json(january, tmp_path) -> None:
    picture = draw_timeline(january.episodes["beijing"])
    assert picture.startswith(b"\x89PNG") and len(picture) > 20_000
    document = json.loads(json.dumps(january.as_dict()))
    assert document["meta"]["model_id"] == january.model_id and document["meta"]["windows"] == len(january.windows)
    assert len(document["messages"][MODEL]) == len(january.messages[MODEL])


def test_heavy_pollution_of_january_2013(shared_data) -> None:
    plan = ReplayPlan(
        shared_data / "five-cities",
        START,
        START + timedelta(days=5),
        ("beijing",),
        "cn_heavy_pollution",
        "observed",
        24,
    )
    result = run_replay(plan)
    assert {m.level for m in result.messages[MODEL]} & {"orange", "red"}
    for message in result.messages[MODEL]:
        if message.kind != "lift":
            # Days of 24 h that the level counts; nothing of the past is warned of.
            assert any(shows(message.evidence, c) for c in result.rules.level_of(message.level).conditions)
            assert any("aqi_24h" in e.values for e in message.evidence) and message.onset >= message.issued
    # An episode is met by all hours from the first one above to the last one, not by the ends of its days.
    orange = sorted(result.met["beijing"][2])
    assert len({t.hour for t in orange}) == 24 and orange[0] > START


def test_thresholds_are_chosen_on_real_data(shared_data) -> None:
    start = datetime(2014, 10, 6, 22, tzinfo=UTC)
    plan = ReplayPlan(shared_data / "beijing-multisite", start, start + timedelta(days=12), every=24)
    table, text = choose_thresholds(plan)
    yellow = table["levels"]["yellow"]
    assert yellow["events"] > 0 and yellow["chosen"] in [r["threshold"] for r in yellow["rows"]]
    pods = [r["pod"] for r in yellow["rows"]]
    assert pods == sorted(pods, reverse=True) and "chosen" in text


def test_the_command_writes_history_and_picture(shared_data, tmp_path) -> None:
    out, plot = tmp_path / "history.json", tmp_path / "timeline.png"
    answer = CliRunner().invoke(
        app,
        ["replay", "--observations", str(shared_data / "five-cities"), "--city", "beijing",
         "--from", "2013-01-10T06:00+08:00", "--to", "2013-01-11T18:00+08:00", "--out", str(out), "--plot", str(plot)],
    )  # fmt: skip
    assert answer.exit_code == 0, answer.output
    assert json.loads(out.read_text("utf-8"))["meta"]["cities"] == ["beijing"]
    assert plot.read_bytes().startswith(b"\x89PNG") and "| yellow | persistence |" in answer.output


@pytest.mark.slow
def test_what_a_station_measured_is_what_was_observed(shared_data, january, tmp_path) -> None:
    folder = tmp_path / "airport"
    folder.mkdir()
    (folder / "2013.gz").symlink_to(shared_data / "metar-beijing" / "545110-99999-2013.gz")
    end = START + timedelta(hours=36)
    plan = ReplayPlan(shared_data / "five-cities", START, end, ("beijing",), visibility_of={"beijing": folder})
    found = run_replay(plan)
    assert found.as_dict()["meta"]["visibility"] == "measured in beijing (airport)"
    assert january.as_dict()["meta"]["visibility"] == "derived"
    # The same forecasts for other events: how far one saw is not what the formula says.
    assert [w.shares for w in found.windows] == [w.shares for w in january.windows if w.init_time <= end]
    derived = {hour for hour in january.met["beijing"][1] if hour <= end + timedelta(hours=26)}
    assert found.met["beijing"][1] and found.met["beijing"][1] != derived
    with pytest.raises(InputError, match="xian"):
        run_replay(replace(plan, visibility_of={"xian": folder}))


def test_a_wrong_plan_is_refused(shared_data) -> None:
    folder = shared_data / "five-cities"
    for given, message in (
        ({"cities": ("bejing",)}, "bejing"),
        ({"cities": ("tokyo",)}, "tokyo"),
        ({"weather": "cloudy"}, "cloudy"),
        ({"rule_set": "jp_pm25"}, "jp_pm25"),
        ({"end": START - timedelta(hours=1)}, "--to"),
        ({"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2020, 1, 2, tzinfo=UTC)}, "covers"),
    ):
        with pytest.raises(InputError, match=message):
            run_replay(ReplayPlan(**({"observations": folder, "start": START, "end": END} | given)))
