"""The combination of experts: best weights, learned by city, never much worse than the best expert."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.models import combination
from hazecast.models.combination import (
    MEAN,
    State,
    Verified,
    bias_correction,
    combining_weights,
    guidance_factor,
    learned,
)
from hazecast.models.experts import CLIMATOLOGY, EXPERTS, GROUP_OF, GUIDANCE, LEAD_GROUPS, MODEL, PERSISTENCE

K, Q = len(EXPERTS), len(QUANTILES)
LEADS = np.arange(1, LEAD_HOURS + 1)
BLOCKS = ((1, 24), (25, 48), (49, 72), (73, LEAD_HOURS))


def verified_of(
    errors: np.ndarray, places: list[str], *, below: np.ndarray | None = None, informed: bool = False
) -> Verified:
    """Return errors (n, lead, expert) of PM2.5, of the mean as of the median; O3 was not observed."""
    n = len(errors)
    both = np.full((n, LEAD_HOURS, 2, 2, K), np.nan, np.float32)
    both[:, :, 0] = errors[:, :, None]
    nothing = np.full((n, LEAD_HOURS, 2), np.nan, np.float32)
    shares = np.full((n, LEAD_HOURS, 2, Q), np.nan, np.float32)
    if below is not None:
        shares[:, :, 0] = below
    return Verified(np.array(places), np.full(n, informed), both, shares, nothing, nothing.copy())


def random_errors(random: np.random.Generator, n: int) -> np.ndarray:
    return random.normal(0, 0.4, (n, LEAD_HOURS, K)).astype(np.float32)


def rows_of(verified: Verified, rows: np.ndarray) -> Verified:
    return Verified(**{f.name: getattr(verified, f.name)[rows] for f in dataclasses.fields(Verified)})


def assert_same(one: State, other: State, **tolerance: float) -> None:
    assert one.places == other.places
    for name, value in one.arrays().items():
        np.testing.assert_allclose(other.arrays()[name], value, err_msg=name, **tolerance)


def all_weights(state: State) -> np.ndarray:
    """Weights of every place in both modes, (place, mode, group, pollutant, space, expert)."""
    places = np.arange(len(state.places))
    return np.stack([combining_weights(state, places, np.full_like(places, mode)) for mode in (0, 1)], axis=1)


def test_a_new_state_prefers_the_model_and_knows_no_bias() -> None:
    state = State.empty().with_places(["b", "a"])
    assert state.places == ("", "a", "b") and state.with_places(["a"]) is state
    weights = all_weights(state)
    assert weights.shape == (3, 2, len(LEAD_GROUPS), 2, 2, K)
    np.testing.assert_allclose(weights, weights[:1].repeat(3, axis=0), atol=1e-4)
    assert (weights.argmax(axis=-1) == MODEL).all()
    assert not bias_correction(state).any() and (guidance_factor(state) == 1).all()


def test_the_pool_is_the_mean_of_the_places_however_many_windows_each_has() -> None:
    random = np.random.default_rng(1)
    errors = random_errors(random, 5)
    verified = verified_of(errors, ["a", "b", "b", "b", "b"])
    state = learned(State.empty(), verified, 400.0)
    assert state.places == ("", "a", "b")
    moments = state.moments[1:, 0, :, 0, MEAN]
    first = errors[0].astype(np.float64)
    for group, (begin, end) in enumerate(LEAD_GROUPS):
        own = first[begin - 1 : end]
        np.testing.assert_allclose(moments[0, group], own.T @ own / len(own), rtol=1e-3, atol=1e-5)
    untouched = learned(State.empty(), verified_of(errors * np.nan, ["a", "b", "b", "b", "b"]), 400.0)
    new = state.moments[0, 0, :, 0, MEAN] - moments.mean(axis=0)
    before = untouched.moments[0, 0, :, 0, MEAN] - moments.mean(axis=0)
    # After more than a year of new errors little is left of what the pool began with.
    assert (np.abs(new) <= 0.05 * np.abs(before) + 1e-4).all()
    # O3 was not observed, and no forecast was informed.
    np.testing.assert_array_equal(state.moments[:, 1], untouched.moments[:, 1])
    np.testing.assert_array_equal(state.moments[:, :, :, 1], untouched.moments[:, :, :, 1])
    assert not state.days[1:, 1].any() and not state.days[1:, :, :, 1].any() and (state.days[1:, 0, :, 0] > 0).all()


def test_what_the_pool_learned_in_training_lasts_for_weeks() -> None:
    random = np.random.default_rng(2)
    common = np.full((K, K), 0.05, np.float32)
    np.fill_diagonal(common, 0.3)
    trained = np.broadcast_to(common, State.empty().moments.shape[1:]).copy()
    state = State.empty({"moments": trained, "offsets": np.zeros(State.empty().offsets.shape[1:], np.float32)})
    for _ in range(7):
        state = learned(state, verified_of(3.0 + random_errors(random, 2), ["a", "b"]))
    # A week of errors of 3 beside months of training: no more than a tenth of the way.
    reached = state.moments[0, 0, :, 0, MEAN, 0, 0]
    assert (reached > 0.3).all() and (reached < 0.3 + 0.1 * 9.0).all()


def test_a_city_learns_from_its_own_forecasts_alone() -> None:
    random = np.random.default_rng(3)
    errors, below = random_errors(random, 6), (random.random((6, LEAD_HOURS, Q)) < 0.4).astype(np.float32)
    places = ["a", "b", "a", "b", "a", "b"]
    together = verified_of(errors, places, below=below)
    mine = rows_of(together, np.array([0, 2, 4]))
    both, alone = learned(State.empty(), together), learned(State.empty(), mine)
    for name, value in both.arrays().items():
        np.testing.assert_allclose(value[1], alone.arrays()[name][1], rtol=1e-5, atol=1e-6, err_msg=name)
    # Day after day too, but for what follows the pool's weights.
    for _ in range(4):
        both, alone = learned(both, together), learned(alone, mine)
    for name in ("days", "offsets"):
        np.testing.assert_allclose(both.arrays()[name][1], alone.arrays()[name][1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        both.moments[1][..., MEAN, :, :], alone.moments[1][..., MEAN, :, :], rtol=1e-4, atol=1e-6
    )


def test_the_order_of_the_windows_does_not_matter() -> None:
    random = np.random.default_rng(4)
    below = (random.random((8, LEAD_HOURS, Q)) < 0.5).astype(np.float32)
    verified = verified_of(random_errors(random, 8), list("abcabcab"), below=below)
    order = random.permutation(8)
    assert_same(
        learned(State.empty(), verified), learned(State.empty(), rows_of(verified, order)), rtol=1e-4, atol=1e-6
    )


def test_lessons_learned_one_after_the_other_are_learned_together() -> None:
    random = np.random.default_rng(6)
    lessons = [
        verified_of(random_errors(random, len(places)), list(places), below=(random.random((len(places), LEAD_HOURS, Q)) < 0.5).astype(np.float32))
        for places in ("ab", "bc", "a", "dba")
    ]  # fmt: skip
    start = learned(State.empty().with_places(list("abcd")), lessons[0])
    together, one_by_one = learned(start, Verified.join(lessons)), learned(start, iter(lessons))
    assert together.places == one_by_one.places
    assert_same(together, one_by_one, rtol=1e-6)


def test_what_is_not_known_teaches_nothing() -> None:
    random = np.random.default_rng(5)
    below = (random.random((4, LEAD_HOURS, Q)) < 0.5).astype(np.float32)
    verified = verified_of(random_errors(random, 4), list("abab"), below=below)
    nothing = verified_of(np.full((2, LEAD_HOURS, K), np.nan), ["a", "b"])
    assert_same(learned(State.empty(), verified), learned(State.empty(), Verified.join([verified, nothing])), rtol=1e-6)
    state = learned(State.empty(), verified)
    later = learned(state, nothing)
    for name in ("moments", "bias", "bias_square", "guidance"):
        np.testing.assert_array_equal(later.arrays()[name], state.arrays()[name], err_msg=name)
    np.testing.assert_array_equal(later.offsets[0], state.offsets[0])
    # A city's own calibration and the weight of what it learned fade.
    assert (np.abs(later.offsets[1:]) <= np.abs(state.offsets[1:])).all() and (later.days <= state.days).all()


def world(random: np.random.Generator, sizes: np.ndarray, days: int, cities: int = 2) -> np.ndarray:
    """Return errors (day, city, lead, expert) with given sizes (lead, expert): in part common, in part of each day."""

    def part(*shape: int) -> np.ndarray:
        return random.normal(size=shape)

    common = 0.6 * part(days, cities, LEAD_HOURS, 1) + 0.4 * part(days, cities, 1, 1)
    own = 0.6 * part(days, cities, LEAD_HOURS, K) + 0.4 * part(days, cities, 1, K)
    return ((0.7 * common + 0.7 * own) * sizes).astype(np.float32)


def simulated(errors: np.ndarray, first: State) -> tuple[np.ndarray, State]:
    """Return the errors (day, city, lead) of the combination that learned from the days before, and its last state."""
    cities = [f"city{number}" for number in range(errors.shape[1])]
    state, combined = first.with_places(cities), []
    for day in errors:
        weights = all_weights(state)[1:, 0, :, 0, MEAN]
        combined.append(np.einsum("chk,chk->ch", weights[:, GROUP_OF], day))
        state = learned(state, verified_of(day, cities))
    return np.array(combined), state


def test_over_60_days_it_is_never_much_worse_than_the_best_expert() -> None:
    random = np.random.default_rng(6)
    sizes = np.full((LEAD_HOURS, K), 0.8)
    sizes[:, MODEL] = 0.25 + 0.35 * LEADS / LEAD_HOURS
    sizes[:, PERSISTENCE] = 0.1 + 0.9 * (1 - np.exp(-LEADS / 20))
    sizes[:, CLIMATOLOGY] = 0.6
    # Its pool was trained elsewhere, where the experts were somewhat better or worse.
    elsewhere = world(random, sizes * random.uniform(0.8, 1.25, K), 60).reshape(-1, LEAD_HOURS, K)
    pool = learned(State.empty(lasting=0.0), verified_of(elsewhere, ["elsewhere"] * len(elsewhere)), 120.0)
    errors = world(random, sizes, 60)
    combined, _ = simulated(errors, State.empty({"moments": pool.moments[0], "offsets": pool.offsets[0]}))
    for first, last in BLOCKS:
        block = slice(first - 1, last)
        best = np.sqrt((errors[:, :, block] ** 2).mean(axis=(0, 2))).min(axis=-1)
        own = np.sqrt((combined[:, :, block] ** 2).mean(axis=(0, 2)))
        assert (own <= 1.02 * best).all(), (first, own / best)


def test_the_weights_move_to_the_best_expert_within_weeks() -> None:
    random = np.random.default_rng(7)
    sizes = np.full((LEAD_HOURS, K), 0.6)
    sizes[:, GUIDANCE] = 0.15
    _, state = simulated(world(random, sizes, 28), State.empty())
    before, after = (all_weights(s)[1:, 0, :, 0, MEAN, GUIDANCE] for s in (State.empty().with_places(["a"]), state))
    assert (before < 0.2).all() and (after > 0.8).all()


@pytest.fixture
def equal_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights have no part in calibration, and take time to find."""
    monkeypatch.setattr(
        combination,
        "combining_weights",
        lambda state, row, mode: np.full((len(row), *state.days.shape[2:], 2, K), 1 / K),
    )


@pytest.fixture
def one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """All lead groups are learned alike: the last in the place of the first is enough, and takes a ninth of the time."""
    monkeypatch.setattr(combination, "LEAD_GROUPS", (LEAD_GROUPS[-1],))
    monkeypatch.setattr(combination, "_STEP", (1.0,))


@pytest.mark.usefixtures("equal_weights", "one_group")
@pytest.mark.parametrize("bias", [-0.25, 0.25])
def test_the_intervals_of_a_city_whose_model_is_biased_come_to_cover_what_they_say(bias: float) -> None:
    random = np.random.default_rng(8)
    ordinary = random.normal(size=100_000)
    issued = np.quantile(ordinary, QUANTILES).astype(np.float32)
    state, found = State.empty().with_places(["biased", "sound"]), []
    nothing = np.zeros((2, LEAD_HOURS, K), np.float32)
    for _ in range(365):
        # Half of the error is that of the whole day.
        z = np.sqrt(0.5) * (random.normal(size=(2, 1)) + random.normal(size=(2, LEAD_HOURS)))
        z[0] += bias
        moved = issued + (state.offsets[1:] + state.offsets[:1])[:, 0, :1, 0]
        below = (z[..., None] <= moved).astype(np.float32)
        found.append(below)
        state = learned(state, verified_of(nothing, ["biased", "sound"], below=below))
    first, last = LEAD_GROUPS[-1]
    shares = np.array(found[120:])[:, :, first - 1 : last].mean(axis=(0, 2))
    np.testing.assert_allclose(shares, np.broadcast_to(QUANTILES, shares.shape), atol=0.03)


@pytest.mark.usefixtures("equal_weights")
def test_a_bias_is_corrected_once_it_is_no_chance() -> None:
    random = np.random.default_rng(9)
    state = State.empty()
    for _ in range(40):
        errors = random_errors(random, 2) * 0.3
        errors[0] -= 0.5
        state = learned(state, verified_of(errors, ["a", "b"]))
    found = bias_correction(state)[:, 0, :, 0]
    # What is added makes up for forecasts that are too low.
    assert (found[1] > 0.4).all() and (np.abs(found[2]) < 0.1).all() and not found[0].any()


@pytest.mark.usefixtures("equal_weights")
def test_guidance_is_divided_by_its_own_bias_in_the_city() -> None:
    state = State.empty()
    observed = np.full((2, LEAD_HOURS, 2), 1.0, np.float32)
    guidance = np.stack([observed[0] * 2.0, observed[0] * 1.0])
    guidance[:, :, 1] = np.nan
    nothing = verified_of(np.full((2, LEAD_HOURS, K), np.nan), ["a", "b"])
    for _ in range(30):
        state = learned(state, dataclasses.replace(nothing, observed=observed, guidance=guidance), 3.0)
    factor = guidance_factor(state)
    np.testing.assert_allclose(factor[1:, 0], [0.5, 1.0], atol=0.03)
    np.testing.assert_array_equal(factor[1:, 1], 1.0)
    wild = dataclasses.replace(nothing, observed=observed * 100, guidance=guidance)
    assert guidance_factor(learned(state, wild, 30.0))[1, 0] == 5.0
