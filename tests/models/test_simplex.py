"""The weights of experts with the least error lie on the simplex."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.models.experts import EXPERTS
from hazecast.models.simplex import ITERATIONS, least_error

K = len(EXPERTS)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 40), st.floats(0, 0.99), st.floats(1e-3, 30))
def test_the_weights_lie_on_the_simplex_and_err_no_more_than_any_expert_or_all_alike(
    seed: int, samples: int, common: float, scale: float
) -> None:
    random = np.random.default_rng(seed)
    shared = random.normal(size=(samples, 1))
    errors = scale * (common * shared + (1 - common) * random.normal(size=(samples, K))) * random.uniform(0.1, 3, K)
    moments = (errors.T @ errors / samples).astype(np.float32)
    weights = least_error(moments[None])[0].astype(np.float64)
    assert (weights >= 0).all() and weights.sum() == pytest.approx(1.0, abs=1e-5)

    def error(w: np.ndarray) -> float:
        return float(w @ moments @ w)

    # Within what so many accelerated steps leave: 2 L / (k + 1)**2, with L twice the trace at most.
    close = 4 * np.trace(moments) / (ITERATIONS + 1) ** 2
    assert error(weights) <= moments.diagonal().min() + close
    assert error(weights) <= error(np.full(K, 1 / K)) + close
    other = random.dirichlet(np.ones(K), 20)
    assert all(error(weights) <= error(w) + close for w in other)
