"""The training loop: repeatable, resumable after a kill, on other devices and on several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.models.scaling import decode_concentration, encode_concentration
from hazecast.models.training.loop import Run, chosen_device, chosen_dtype, rows_of_step
from hazecast.models.training.state import fingerprint
from hazecast.models.zoo.network import Network
from hazecast.models.zoo.network_inputs import level_and_spread
from hazecast.models.zoo.network_model import NetworkModel
from hazecast.models.zoo.network_training import TrainingSettings, network_loss, train_network
from hazecast.services.research.experiments import HELD_OUT, training_windows
from tests.support.paths import ROOT
from tests.support.training_data import SMALL, TINY, made_series, made_windows

pytestmark = [pytest.mark.slow, pytest.mark.slowest]


def weights(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy().copy() for name, tensor in network.state_dict().items()}


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10_000), st.integers(1, 64), st.integers(0, 2**31), st.integers(0, 10_000), st.integers(1, 8))
def test_processes_share_the_batch_of_one(windows: int, batch: int, seed: int, step: int, world: int) -> None:
    alone = rows_of_step(windows, batch, seed, step)
    shares = [rows_of_step(windows, batch, seed, step, rank, world) for rank in range(world)]
    together = np.empty_like(alone)
    for rank, share in enumerate(shares):
        together[rank::world] = share
    np.testing.assert_array_equal(together, alone)
    assert len(alone) == batch and alone.min() >= 0 and alone.max() < windows


def test_training_killed_in_mid_step_resumes_to_the_very_same_weights(tmp_path) -> None:
    state = tmp_path / "state.pt"
    whole = weights(train_network(made_windows(), SMALL))
    # The same weights take the same number of threads.
    code = (
        "import os, signal, torch, hazecast.models.training.loop as loop, hazecast.models.zoo.network_training as training\n"
        f"torch.set_num_threads({torch.get_num_threads()})\n"
        "from pathlib import Path\n"
        "from tests.support.training_data import SMALL, made_windows\n"
        "steps, step = [], loop._update\n"
        "def killed(*given):\n"
        "    steps.append(1)\n"
        "    return os.kill(os.getpid(), signal.SIGKILL) if len(steps) == 18 else step(*given)\n"
        "loop._update = killed\n"
        f"training.train_network(made_windows(), SMALL, loop.Run(state=Path({str(state)!r}), state_every=7))\n"
    )
    dead = subprocess.run([sys.executable, "-c", code], check=False)
    assert dead.returncode == -signal.SIGKILL
    assert torch.load(state, weights_only=True)["step"] == 14
    with pytest.raises(InputError, match="unfinished training"):
        train_network(made_windows(), SMALL, Run(state=state))
    assert_same(weights(train_network(made_windows(), SMALL, Run(state=state, resume=True))), whole)


def test_state_of_another_training_is_refused(tmp_path) -> None:
    state = tmp_path / "state.pt"
    train_network(made_windows(), SMALL, Run(state=state))
    other = TrainingSettings(windows=480, batch=16, **TINY, seed=4)
    with pytest.raises(InputError, match="seed"):
        train_network(made_windows(), other, Run(state=state, resume=True))
    with pytest.raises(InputError, match="data"):
        train_network(made_windows(every=5), SMALL, Run(state=state, resume=True))
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(InputError, match="whole"):
        train_network(made_windows(), SMALL, Run(state=state, resume=True))


def test_the_digest_of_the_data_sees_one_changed_value() -> None:
    series = made_series()
    before = fingerprint(made_windows(series))
    assert before == fingerprint(made_windows(made_series()))
    series.observations[0, 300, 2] += 1
    assert fingerprint(made_windows(series)) != before


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_and_gives_full_precision_weights(precision) -> None:
    windows = made_windows()
    mixed = train_network(windows, SMALL, Run(precision=precision))
    batch = windows.batch(np.arange(20), future_weather=True)
    assert all(parameter.dtype == torch.float32 for parameter in mixed.parameters())
    before = NetworkModel(network=Network(**TINY)).predict(batch).mean
    after = NetworkModel(network=mixed).predict(batch).mean
    full = NetworkModel(network=train_network(windows, SMALL)).predict(batch).mean
    assert np.abs(after - batch.target).mean() < 0.8 * np.abs(before - batch.target).mean()
    assert np.abs(after - batch.target).mean() == pytest.approx(np.abs(full - batch.target).mean(), rel=0.1)


def test_network_and_loss_leave_nothing_on_the_cpu() -> None:
    """The device "meta" stands for a GPU: an operation across devices fails on it too."""
    batch = made_windows().batch(np.arange(4), future_weather=True)
    network = Network(**TINY).to("meta")
    quantiles, mean = network(batch)
    loss = network_loss(network, batch)
    level, spread = level_and_spread(batch, mean.device)
    z = encode_concentration(mean, level, spread)
    back = decode_concentration(quantiles, level[..., None], spread[..., None])
    assert {t.device.type for t in (quantiles, mean, loss, z, back)} == {"meta"}


def test_devices_and_precisions_that_are_not_there_are_named() -> None:
    assert chosen_device("cpu").type == "cpu" and chosen_dtype("auto", torch.device("cpu")) is torch.float32
    with pytest.raises(InputError, match="tpu"):
        chosen_device("tpu")
    with pytest.raises(InputError, match="fp8"):
        chosen_dtype("fp8", torch.device("cpu"))
    if not torch.cuda.is_available():
        assert chosen_device("auto").type == "cpu"
        with pytest.raises(InputError, match="no GPU"):
            chosen_device("cuda")


def test_two_processes_train_one_network(tmp_path) -> None:
    """torchrun with two processes over gloo: both end with the same weights, run after run."""
    code = tmp_path / "job.py"
    code.write_text(
        "import sys, torch\n"
        "from hazecast.models.training.loop import rank_and_world\n"
        "from hazecast.models.zoo.network_training import train_network\n"
        "from hazecast.services.research.experiments import process_group\n"
        "from tests.support.training_data import SMALL, made_windows\n"
        "with process_group('cpu') as rank:\n"
        "    assert rank_and_world() == (rank, 2)\n"
        "    for name in ('first', 'second'):\n"
        "        network = train_network(made_windows(), SMALL)\n"
        "        torch.save(network.state_dict(), f'{sys.argv[1]}/{name}.{rank}')\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(code)]
    subprocess.run([*launch, str(tmp_path)], env=environment, cwd=ROOT, check=True, timeout=300)
    found = [
        {key: value.numpy() for key, value in torch.load(tmp_path / f"{name}.{rank}", weights_only=True).items()}
        for name in ("first", "second")
        for rank in (0, 1)
    ]
    for other in found[1:]:
        assert_same(found[0], other)
    alone = weights(train_network(made_windows(), SMALL))
    apart = max(np.abs(found[0][name] - alone[name]).max() for name in alone if alone[name].dtype == np.float32)
    assert 0 < apart < 0.1  # other gaps in the second share, else the same steps on the same windows


def test_no_training_window_touches_a_held_out_episode() -> None:
    series = made_series(hours=45 * 24)
    until = datetime(2013, 2, 14, tzinfo=UTC)
    windows = training_windows([series], until)
    now = windows.index[:, 2]
    first, last = series.times[now - HISTORY_HOURS + 1], series.times[now + LEAD_HOURS]
    assert len(windows) and not any(((last >= held[0]) & (first <= held[1])).any() for held in HELD_OUT)
    since = training_windows([series], until, since=datetime(2013, 1, 21, tzinfo=UTC))
    assert 0 < len(since) < len(windows)
    with pytest.raises(InputError, match="train-until"):
        training_windows([series], datetime(2013, 1, 8, tzinfo=UTC))
