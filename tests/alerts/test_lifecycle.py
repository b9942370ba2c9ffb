"""A warning's life: hysteresis, hold, drafts, and random sequences that must keep its laws."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.alerts.engine.approval import amend, approve, reject, supersede
from hazecast.alerts.engine.draft import Draft
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning, in_force_at
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.errors import InputError
from tests.support.warning_cases import assessed

INIT = datetime(2013, 1, 12, 22, tzinfo=UTC)  # 06:00 in Beijing on the 13th
HALF_DAY = timedelta(hours=12)


def changed(rules: RuleSet, *, life: dict[str, object] | None = None, **levels: tuple[float, float]) -> RuleSet:
    new = [
        x.model_copy(update=dict(zip(("raise_probability", "lower_probability"), levels[x.id], strict=True)))
        if x.id in levels
        else x
        for x in rules.levels
    ]
    return rules.model_copy(update={"levels": tuple(new), "life": rules.life.model_copy(update=life or {})})


# The shipped signal with thresholds and a hold of the tests' own: theirs may be chosen anew.
RULES = changed(
    RuleBook.shipped().haze_signal,
    life={"hold_hours": 6, "unconfirmed_hours": 0},
    yellow=(0.5, 0.35),
    orange=(0.5, 0.35),
    red=(0.5, 0.35),
)


def told(history: list[HazeWarning], rules: RuleSet, init: datetime, *probabilities: float, **given) -> list[str]:
    """Run once, add to the history, and return what was said as kind and level."""
    messages = advance(history, [assessed(rules, "beijing", init, probabilities, **given)], init, ruleset=rules)
    history += messages
    return [f"{m.kind} {m.level} {m.reason}" for m in messages]


def test_life_from_issue_to_lift() -> None:
    history: list[HazeWarning] = []
    said = []
    runs = [(0, 0, 0), (0.9, 0, 0), (0.9, 0, 0), (1, 1, 0.9), (1, 0.9, 0.1), (0.1, 0, 0), (0, 0, 0)]
    for step, probabilities in enumerate(runs):
        said += told(history, RULES, INIT + step * HALF_DAY, *probabilities)
    assert said == [
        "issue yellow criterion_forecast",
        "continue yellow criterion_forecast",
        "upgrade red higher_level_forecast",
        "downgrade orange level_no_longer_likely",
        "lift orange criterion_no_longer_likely",
    ]
    assert history[0].id == "cma_haze.beijing.20130113T1000Z"
    assert history[-1].references == tuple(m.id for m in history[:-1]) and history[-1].evidence == ()
    assert [m.level_since for m in history] == [INIT + n * HALF_DAY for n in (1, 1, 3, 4, 4)]
    assert [m.probability for m in history] == [0.9, 0.9, 0.9, 0.9, 0.1]
    assert [m.threshold for m in history] == [0.5, 0.5, 0.5, 0.5, 0.35]


def test_hysteresis_at_just_below_and_just_above_both_thresholds() -> None:
    rules = changed(RULES, yellow=(0.5, 0.3))
    for probability, said in ((0.499, []), (0.5, ["issue yellow criterion_forecast"])):
        assert told([], rules, INIT, probability, 0, 0) == said
    for probability, said in ((0.3, "continue yellow still_likely"), (0.299, "lift yellow criterion_no_longer_likely")):
        history: list[HazeWarning] = []
        told(history, rules, INIT, 0.5, 0, 0)
        assert told(history, rules, INIT + HALF_DAY, probability, 0, 0) == [said]
    # A probability that swings between the two changes nothing, and what never rose isn't kept.
    history = []
    told(history, rules, INIT, 0.6, 0, 0)
    swings = [told(history, rules, INIT + (n + 1) * HALF_DAY, p, 0, 0) for n, p in enumerate([0.4, 0.55, 0.31, 0.49])]
    assert all(s[0].startswith("continue yellow") for s in swings)


def test_minimum_hold_delays_a_fall_but_not_a_rise() -> None:
    rules = changed(RULES, life={"hold_hours": 6})
    history: list[HazeWarning] = []
    told(history, rules, INIT, 0.9, 0, 0)
    assert told(history, rules, INIT + timedelta(hours=5), 0, 0, 0) == []
    assert told(history, rules, INIT + timedelta(hours=5), 1, 0.9, 0) == ["upgrade orange higher_level_forecast"]
    # The hold begins again with the new level.
    assert told(history, rules, INIT + timedelta(hours=10), 0, 0, 0) == []
    assert told(history, rules, INIT + timedelta(hours=11), 0, 0, 0) == ["lift orange criterion_no_longer_likely"]


def test_a_level_falls_only_once_two_runs_in_a_row_no_longer_see_it() -> None:
    rules = changed(RULES, life={"hold_hours": 0, "unconfirmed_hours": 18})
    history: list[HazeWarning] = []
    runs = [(1, 0.9, 0), (1, 0, 0), (1, 0.4, 0), (1, 0, 0), (1, 0, 0), (0, 0, 0), (0, 0, 0)]
    said = [told(history, rules, INIT + n * HALF_DAY, *p) for n, p in enumerate(runs)]
    assert said == [
        ["issue orange criterion_forecast"],
        [],  # doubted by one run: it stands until the next
        ["continue orange still_likely"],
        [],
        ["downgrade yellow level_no_longer_likely"],
        [],
        ["lift yellow criterion_no_longer_likely"],
    ]
    # What stands is in force without a gap, until the run that takes it back.
    for message, following in pairwise(history):
        assert following.issued < message.expires and following.onset <= max(message.onset, following.issued)


def test_what_is_in_force_stays_covered_by_its_updates() -> None:
    history: list[HazeWarning] = []
    told(history, RULES, INIT, 0.9, 0, 0)
    start = history[0].onset
    assert start == INIT + timedelta(hours=2)  # the window's
    # Before it begins, an update keeps its beginning; once it has begun, it is in force from the update on.
    told(history, RULES, INIT + timedelta(hours=1), 1, 0.9, 0)
    told(history, RULES, INIT + HALF_DAY, 1, 0.9, 0)
    told(history, RULES, INIT + 2 * HALF_DAY, 0.9, 0, 0)
    assert [m.kind for m in history] == ["issue", "upgrade", "continue", "downgrade"]
    assert [m.onset for m in history] == [start, start, INIT + HALF_DAY, INIT + 2 * HALF_DAY]
    assert all(b.expires >= a.expires for a, b in pairwise(history))


def test_observation_raises_at_once() -> None:
    assert told([], RULES, INIT, 0.1, 0, 0, observed=1) == ["issue yellow criterion_observed"]
    history: list[HazeWarning] = []
    told(history, RULES, INIT, 0.9, 0, 0)
    assert told(history, RULES, INIT + timedelta(hours=1), 1, 0.1, 0, observed=2) == [
        "upgrade orange higher_level_observed"
    ]


def test_lift_waits_for_observed_improvement_or_never_comes() -> None:
    rules = RuleBook.shipped().rule_set("jp_pm25")
    noon = datetime(2025, 3, 10, 3, tzinfo=UTC)
    history: list[HazeWarning] = []
    told(history, rules, noon, 0.9)
    later = noon + timedelta(hours=4)
    assert told(history, rules, later, 0.0, lift_ready=False) == []
    assert told(history, rules, later, 0.0, lift_ready=True) == ["lift alert improvement_observed"]
    never = RuleBook.shipped().rule_set("jp_pm25_hokkaido")
    history = []
    told(history, never, noon, 0.9)
    assert told(history, never, later, 0.0, lift_ready=False) == []
    end = history[0].expires
    assert in_force_at(history, end - timedelta(minutes=1)) and not in_force_at(history, end)


def test_a_moving_window_is_renewed_only_near_its_end() -> None:
    rules = RuleBook.shipped().rule_set("cn_heavy_pollution")
    start = datetime(2025, 1, 10, tzinfo=UTC)
    history: list[HazeWarning] = []
    said = {}
    for step in range(10):
        for text in told(history, rules, start + step * HALF_DAY, 0.9, 0, 0):
            said[step] = text.split()[0]
    assert said[0] == "issue" and list(said.values()) == ["issue", "continue"]
    assert rules.life.renew_hours == 24  # of 120 h: after four days


def test_same_level_in_same_window_is_not_repeated_and_expiry_is_silent() -> None:
    history: list[HazeWarning] = []
    told(history, RULES, INIT, 0.9, 0, 0)
    assert told(history, RULES, INIT + timedelta(hours=1), 0.8, 0, 0) == []
    after = history[0].expires
    assert in_force_at(history, after) == []
    assert told(list(history), RULES, after, 0, 0, 0) == []
    assert told(list(history), RULES, after, 0.9, 0, 0) == ["issue yellow criterion_forecast"]


def test_simulated_and_real_never_mix() -> None:
    real = advance([], [assessed(RULES, "beijing", INIT, (0.9, 0, 0))], INIT, ruleset=RULES)
    later = INIT + HALF_DAY
    with pytest.raises(InputError, match="simulated"):
        advance(real, [assessed(RULES, "beijing", later, (0.9, 0, 0), simulated=True)], later, ruleset=RULES)
    with pytest.raises(InputError):  # a run older than what is in force
        before = INIT - timedelta(hours=1)
        advance(real, [assessed(RULES, "beijing", before, (0.9, 0, 0))], before, ruleset=RULES)


chances = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(lambda p: tuple(sorted(p, reverse=True)))
one_city = st.tuples(chances, st.integers(0, 3))
steps = st.lists(st.tuples(st.integers(1, 40), st.lists(one_city, min_size=3, max_size=3)), min_size=1, max_size=10)
CITIES = ("beijing", "shanghai", "shenyang")


@settings(max_examples=80, deadline=None)
@given(steps, st.integers(0, 24), st.integers(0, 24), st.randoms(use_true_random=False))
def test_random_sequences_keep_the_laws(runs, hold: int, unconfirmed: int, shuffler: random.Random) -> None:
    life = {"hold_hours": hold, "unconfirmed_hours": unconfirmed}
    rules = changed(RULES, life=life, yellow=(0.4, 0.2), orange=(0.5, 0.3), red=(0.6, 0.3))
    history: list[HazeWarning] = []
    init = INIT
    for gap, cities in runs:
        init += timedelta(hours=gap)
        before = {m.city: m for m in in_force_at(history, init)}
        now = [
            assessed(rules, city, init, probabilities, observed=observed)
            for city, (probabilities, observed) in zip(CITIES, cities, strict=True)
        ]
        messages = advance(history, now, init, ruleset=rules)
        # Order of areas and of history doesn't matter, nor does a restart with only what stands.
        shuffled, past = now[:], history[:]
        shuffler.shuffle(shuffled)
        shuffler.shuffle(past)
        assert advance(past, shuffled, init, ruleset=rules) == messages
        assert advance(in_force_at(history, init), now, init, ruleset=rules) == messages
        alone = [m for a in now for m in advance(history, [a], init, ruleset=rules)]
        assert alone == messages
        # A restart that finds only some of the messages stored says the others, and no more.
        kept = messages[: shuffler.randint(0, len(messages))]
        assert advance([*history, *kept], now, init, ruleset=rules) == messages[len(kept) :]
        history = [HazeWarning.model_validate_json(m.model_dump_json()) for m in [*history, *messages]]
        assert advance(history, now, init, ruleset=rules) == []
        standing = {m.city: m for m in in_force_at(history, init)}
        assert len(in_force_at(history, init)) == len(standing)  # never two for a city
        for assessment in now:
            _check_transition(before.get(assessment.city), standing.get(assessment.city), assessment, rules)
    assert all(m.evidence for m in history if m.kind != "lift")
    assert len({m.id for m in history}) == len(history)
    for city in CITIES:
        _check_chain([m for m in history if m.city == city], rules)


def _check_transition(was, stands, now, rules: RuleSet) -> None:
    old = rules.level_of(was.level).rank if was else 0
    new = rules.level_of(stands.level).rank if stands else 0
    assert new >= now.rank  # what is raised stands
    if new > now.rank:
        # Above what was raised only if it was in force, and is still likely or held.
        outlook = now.of(new)
        held = was is not None and (
            now.init_time < was.level_since + timedelta(hours=rules.life.hold_hours)
            or now.init_time < was.run_init_time + timedelta(hours=rules.life.unconfirmed_hours)
        )
        assert 0 < new <= old
        assert held or outlook.keep_probability >= rules.level_of(new).lower_probability


def _check_chain(messages: list[HazeWarning], rules: RuleSet) -> None:
    """Each message follows on the one before: no transition is lost or doubled."""
    last: HazeWarning | None = None
    for message in messages:
        if last is None or last.kind == "lift" or last.expires <= message.issued:
            assert message.kind == "issue" and message.references == ()
        else:
            assert message.references == (*last.references, last.id)
            step = rules.level_of(message.level).rank - rules.level_of(last.level).rank
            kinds = {"lift"} if message.kind == "lift" else {"upgrade"} if step > 0 else {"downgrade"}
            assert message.kind in (kinds if step else {"continue", "lift"})
            assert message.kind != "continue" or message.expires > last.expires
        last = message


def draft_of(history: list[HazeWarning], init: datetime, *probabilities: float) -> Draft:
    message = advance(history, [assessed(RULES, "beijing", init, probabilities)], init, ruleset=RULES)[0]
    return Draft(proposed=message, drafted_at=init)


def test_drafts_are_approved_amended_or_rejected_once() -> None:
    draft = draft_of([], INIT, 1, 0.9, 0)
    at = INIT + timedelta(minutes=20)
    late = draft.proposed.onset + timedelta(hours=1)
    assert approve(draft, [], by="Li Na", reason="yes", at=late)[1].onset == late  # nothing forecast begins in the past
    done, message = approve(draft, [], by="Li Na", reason="agrees with the ensemble", at=at)
    assert done.status == "approved" and message.id == draft.id and message.issued == at == message.level_since
    assert message.approval.by == "Li Na" and not message.approval.amended and message.evidence
    with pytest.raises(InputError, match="pending"):
        approve(done, [], by="Li Na", reason="again", at=at)
    changed_draft, amended = amend(draft, [], RULES, by="Li Na", reason="fog, not haze", at=at, level="yellow")
    assert changed_draft.status == "amended" and amended.level == "yellow" and amended.kind == "issue"
    assert amended.probability is None and amended.approval.amended
    refused = reject(draft, by="Li Na", reason="a station is broken", at=at)
    assert refused.status == "rejected" and supersede(draft, at).status == "superseded"
    for by, reason in (("", "why"), ("Li Na", " ")):
        with pytest.raises(InputError, match="who decided"):
            reject(draft, by=by, reason=reason, at=at)
    with pytest.raises(InputError, match="no change"):
        amend(draft, [], RULES, by="Li Na", reason="none", at=at)
    with pytest.raises(InputError, match="level"):
        amend(draft, [], RULES, by="Li Na", reason="none", at=at, level="blue")
    with pytest.raises(InputError, match="expires"):
        approve(draft, [], by="Li Na", reason="late", at=draft.proposed.expires)
    with pytest.raises(InputError, match="onset after expires"):
        amend(draft, [], RULES, by="Li Na", reason="none", at=at, onset=draft.proposed.expires + HALF_DAY)


def test_a_draft_that_no_longer_follows_on_what_stands_is_refused() -> None:
    first = draft_of([], INIT, 0.9, 0, 0)
    _, issued = approve(first, [], by="Li Na", reason="yes", at=INIT)
    later = INIT + HALF_DAY
    upgrade = draft_of([issued], later, 1, 0.9, 0)
    _, message = approve(upgrade, [issued], by="Li Na", reason="yes", at=later)
    assert message.kind == "upgrade" and message.references == (issued.id,)
    _, same = amend(upgrade, [issued], RULES, by="Li Na", reason="no", at=later, level="yellow")
    assert same.kind == "continue" and same.level_since == issued.level_since
    with pytest.raises(InputError, match="nothing"):
        approve(upgrade, [], by="Li Na", reason="yes", at=later)
    with pytest.raises(InputError, match="in force"):
        approve(first, [issued], by="Li Na", reason="twice", at=later)
    lift = draft_of([issued], later, 0, 0, 0)
    with pytest.raises(InputError, match="lift"):
        amend(lift, [issued], RULES, by="Li Na", reason="no", at=later, level="red")
    # It begins when it is issued and ends soon after: another time would be dropped without a word.
    with pytest.raises(InputError, match="no other time for a lift"):
        amend(lift, [issued], RULES, by="Li Na", reason="no", at=later, expires=later + HALF_DAY)
    assert approve(lift, [issued], by="Li Na", reason="over", at=later)[1].kind == "lift"
