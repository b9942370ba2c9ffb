"""The training loop: any network and loss; seeded, resumable, on one device or several.

What a step does follows from the seed, the step and the rank alone: each step draws its windows,
gaps and dropout from generators seeded with them. A resumed training therefore needs no state of
a generator to end with the weights of one that was never interrupted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from hazecast.grids.errors import InputError
from hazecast.models.series import Windows, WindowSet
from hazecast.models.training.state import fingerprint, read_state, write_state

Loss = Callable[[nn.Module, Windows], Tensor]
Augment = Callable[[Windows, np.random.Generator], Windows]
Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class LoopSettings:
    """What is learnt: with the same data these fix the weights on one kind of machine.

    Attributes
    ----------
    windows : int
        Training windows drawn in all, over all processes.
    batch : int
        Windows a step, over all processes.
    learning_rate, weight_decay : float
        Peak of the one-cycle schedule (Smith and Topin 2017, arXiv:1708.07120); AdamW's decay.
    seed : int
    """

    windows: int = 330_000
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    seed: int = 20130112

    @property
    def steps(self) -> int:
        """Optimiser steps, at least 10."""
        return max(self.windows // self.batch, 10)


@dataclass(frozen=True)
class Run:
    """Where and how a training runs.

    Attributes
    ----------
    device : {"cpu", "cuda", "auto"}
        ``auto`` takes a GPU where there is one.
    precision : {"auto", "fp32", "bf16", "fp16"}
        ``auto``: on a GPU bf16 where it has it, else fp16 with scaled gradients; fp32 on a CPU.
    state : Path, optional
        File that the training's state is kept in, replaced atomically; removed by the caller at the end.
    state_every : int
        Steps between two writes of the state.
    resume : bool
        Go on from `state`; without it a state left by an unfinished training is an error.
    """

    device: Device = "cpu"
    precision: Precision = "auto"
    state: Path | None = None
    state_every: int = 200
    resume: bool = False


def chosen_device(name: str) -> torch.device:
    """Return the device that `name` stands for.

    Raises
    ------
    InputError
        If there is no such device here.
    """
    if name not in ("cpu", "cuda", "auto"):
        raise InputError("device", name, "cpu, cuda or auto")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device", name, "cpu or auto: PyTorch sees no GPU here")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def chosen_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the type that matrix products are computed in.

    Parameters
    ----------
    name : {"auto", "fp32", "bf16", "fp16"}
    device : torch.device

    Returns
    -------
    torch.dtype

    Raises
    ------
    InputError
        If `name` is unknown.
    """
    if name == "auto":
        if device.type == "cpu":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if name not in _DTYPES:
        raise InputError("precision", name, f"auto or one of {sorted(_DTYPES)}")
    return _DTYPES[name]


def rank_and_world() -> tuple[int, int]:
    """Return this process's rank and the number of processes; 0 and 1 without a process group."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def rows_of_step(windows: int, batch: int, seed: int, step: int, rank: int = 0, world: int = 1) -> NDArray[np.int64]:
    """Return the windows that a process trains on in a step.

    All processes draw the same batch of `windows` and each takes its own share, so that the
    data of a step does not depend on how many share it.

    Parameters
    ----------
    windows, batch, seed, step : int
        Number of windows, size of the batch, seed of the training, number of the step.
    rank, world : int
        This process, of so many.

    Returns
    -------
    int64 (about batch / world,)
        Rows of the training windows.
    """
    return np.random.default_rng([seed, step]).integers(0, windows, batch)[rank::world]


def train_loop(
    network: nn.Module,
    loss: Loss,
    train: WindowSet,
    settings: LoopSettings,
    run: Run,
    *,
    augment: Augment,
    progress: bool = False,
) -> nn.Module:
    """Train `network` in place and return the moving average of its weights.

    Under `torch.distributed` (``torchrun``) the processes share every batch and average their
    gradients; only the first writes the state and shows the bar.

    Parameters
    ----------
    network : nn.Module
        Maps `Windows` to its outputs, on the device of its parameters.
    loss : callable
        Loss of the network on windows with a target, a scalar Tensor.
    train : WindowSet
    settings : LoopSettings
    run : Run
    augment : callable
        Changes a batch before the network is given it, with the generator that it is given.
    progress : bool
        Show a bar with the remaining time and the loss.

    Returns
    -------
    nn.Module
        On the CPU: the exponential moving average of the weights (decay 0.998).

    Raises
    ------
    InputError
        If a state is left over and not to be resumed, or belongs to another training.
    RuntimeError
        If the loss is no longer finite.
    """
    device = chosen_device(run.device)
    dtype = chosen_dtype(run.precision, device)
    rank, world = rank_and_world()
    if settings.batch < world:
        raise InputError("batch", settings.batch, f"at least one window for each of {world} processes")
    network = network.to(device)
    average = copy.deepcopy(network).requires_grad_(False)
    replica = network if world == 1 else DistributedDataParallel(network, broadcast_buffers=False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=settings.steps)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule, "scaler": scaler}
    identity = {**asdict(settings), "processes": world, "precision": str(dtype), "data": fingerprint(train)}
    first = _first_step(run, parts, identity, device)
    bar = tqdm(
        range(first, settings.steps),
        desc="training",
        unit="batch",
        initial=first,
        total=settings.steps,
        disable=not progress or rank > 0,
    )
    for step in bar:
        rows = rows_of_step(len(train), settings.batch, settings.seed, step, rank, world)
        windows = augment(
            train.batch(rows, future_weather=True), np.random.default_rng([settings.seed, step, 1 + rank])
        )
        torch.manual_seed(int(np.random.SeedSequence([settings.seed, step, rank]).generate_state(1)[0]))
        with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
            value = loss(replica, windows)
        if _update(value, network, optimiser, scaler):
            schedule.step()
        _move_average(average, network, min(0.998, step / (step + 10)))
        if step % 20 == 0:
            if not torch.isfinite(value):
                raise RuntimeError(f"training diverged: the loss is {value.item()} at step {step}")
            bar.set_postfix(loss=f"{value.item():.4f}")
        if run.state is not None and rank == 0 and (step + 1) % run.state_every == 0:
            write_state(run.state, step + 1, parts, identity)
    if run.state is not None and rank == 0:
        # Kept up to the last step: the caller removes it once the weights are safe.
        write_state(run.state, settings.steps, parts, identity)
    return average.cpu().eval()


def _first_step(run: Run, parts: dict[str, Any], identity: dict[str, Any], device: torch.device) -> int:
    if run.state is None or not run.state.exists():
        return 0
    if not run.resume:
        raise InputError(
            str(run.state),
            "the state of an unfinished training",
            "no such file: go on with --resume, or delete it to begin anew",
        )
    return read_state(run.state, parts, identity, device)


def _update(value: Tensor, network: nn.Module, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> bool:
    """Take one step and return whether it was taken: scaled fp16 gradients that overflow are left out."""
    optimiser.zero_grad()
    scaler.scale(value).backward()  # type: ignore[no-untyped-call]
    scaler.unscale_(optimiser)
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    scale = scaler.get_scale() if scaler.is_enabled() else 1.0
    scaler.step(optimiser)
    scaler.update()
    return not scaler.is_enabled() or scaler.get_scale() >= scale


@torch.no_grad()
def _move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
