"""SIGTERM in any state of `hazecast serve`: a few rounds of ``python -m tests.tools.stops``."""

from __future__ import annotations

import random

import pytest

from tests.tools.stops import STARTING, STATES, started, stop_in

pytestmark = [pytest.mark.slow, pytest.mark.slowest, pytest.mark.timeout(900)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_that_is_told_to_end_does(databases, tmp_path, workers) -> None:
    random.seed(workers)
    folder = tmp_path / "data"
    seconds = started(databases, folder)
    wrong = {state: stop_in(state, databases, folder, workers, seconds) for state in (STARTING, *STATES)}
    assert not any(wrong.values()), wrong
