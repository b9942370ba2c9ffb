"""Rolling calibration: wrong intervals become right ones, and nothing is learned from what isn't there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.models.calibration import RollingCalibration, calibrated_over
from hazecast.models.interface import TARGETS
from hazecast.models.scaling import decode_concentration, encode_concentration

N = 40


def forecast(rolling: RollingCalibration, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of a forecast that is always the same, `width` times as wide as its unit normal truth."""
    levels = torch.distributions.Normal(0, 1).icdf(torch.tensor(QUANTILES))
    z = (width * levels).expand(N, LEAD_HOURS, len(TARGETS), len(QUANTILES)).contiguous()
    return rolling.apply(z, torch.full((N, LEAD_HOURS, len(TARGETS)), 100.0))


def truth(random: np.random.Generator) -> np.ndarray:
    z = torch.from_numpy(random.normal(size=(N, LEAD_HOURS, len(TARGETS), 1)).astype(np.float32))
    return decode_concentration(z)[..., 0].clamp(min=0.0).numpy()


@pytest.mark.parametrize("width", [0.5, 1.6])
def test_intervals_too_narrow_or_too_wide_come_right(width: float) -> None:
    random, rolling = np.random.default_rng(1), RollingCalibration()
    inside = []
    for day in range(400):
        quantiles, mean = forecast(rolling, width)
        target = truth(random)
        if day >= 300:
            inside.append((target >= quantiles[..., 0]) & (target <= quantiles[..., -1]))
        rolling.learn(target, quantiles, mean)
    assert np.mean(inside, axis=(0, 1, 2)) == pytest.approx([0.8, 0.8], abs=0.02)
    assert (np.diff(forecast(rolling, width)[0], axis=-1) >= 0).all()


def test_nothing_is_learned_from_missing_targets_or_a_handful() -> None:
    rolling = RollingCalibration()
    quantiles, mean = forecast(rolling, 0.3)
    target = np.full_like(mean, np.nan)
    rolling.learn(target, quantiles, mean)
    target[:3, 0] = 500.0
    rolling.learn(target, quantiles, mean)
    assert not rolling.offsets.any() and not rolling.shifts.any()


def test_the_mean_of_ozone_follows_its_errors_and_that_of_pm25_stays() -> None:
    rolling = RollingCalibration()
    for _ in range(200):
        quantiles, mean = forecast(rolling, 1.0)
        rolling.learn(np.full_like(mean, 120.0), quantiles, mean)
    assert rolling.shifts[..., 0] == pytest.approx(0.0) and rolling.shifts[..., 1] == pytest.approx(20.0, abs=0.1)


def test_a_step_is_in_proportion_to_the_time_it_stands_for_and_never_more_than_a_day() -> None:
    moved = []
    for days in (0.5, 1.0, 3.0):
        rolling = RollingCalibration()
        quantiles, mean = forecast(rolling, 1.0)
        rolling.learn(np.full_like(mean, 5_000.0), quantiles, mean, days)
        moved.append((rolling.offsets.copy(), rolling.shifts.copy()))
    for half, whole, long in zip(*moved, strict=True):
        assert whole.any()
        np.testing.assert_allclose(2 * half, whole, rtol=1e-5)
        np.testing.assert_array_equal(long, whole)


def test_a_past_period_gives_the_offsets_to_begin_with() -> None:
    random = np.random.default_rng(2)
    days = np.repeat(np.arange(240), N)
    raw = np.concatenate([forecast(RollingCalibration(), 0.6)[0] for _ in range(240)])
    target = np.concatenate([truth(random) for _ in range(240)])
    rolling, calibrated = calibrated_over(target, raw, np.full_like(target, 100.0), days)
    late = days >= 160

    def share(quantiles: np.ndarray) -> float:
        inside = (target[late] >= quantiles[late, ..., 0]) & (target[late] <= quantiles[late, ..., -1])
        return float(inside.mean())

    assert share(raw) < 0.6 and share(calibrated) == pytest.approx(0.8, abs=0.05)
    assert (rolling.offsets[..., 0] < 0).all() and (rolling.offsets[..., -1] > 0).all()
    z = encode_concentration(torch.from_numpy(raw[:1].swapaxes(-1, -2)), TARGETS)
    assert torch.isfinite(z).all()
