"""Metrics of several workers of one service: any of them answers for all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# prometheus_client counts in files of this folder, where it is named before the library is imported.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def folder_of_workers() -> Path | None:
    """Return the folder in which the workers count; None where this process is the only one."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None


def add_workers(registry: CollectorRegistry, folder: Path) -> None:
    """Add what all workers counted together, and the memory and processor time of each.

    Parameters
    ----------
    registry : CollectorRegistry
    folder : Path
        In which they count.
    """
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    registry.register(_WorkerProcesses(folder))


class _WorkerProcesses(Collector):
    """`process_*` of each worker that lives, by its process id as the label `worker`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> list[Metric]:
        """Return nothing: no process is read when the collector is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read each worker's process."""
        found: dict[str, Metric] = {}
        for worker in sorted({path.stem.rpartition("_")[2] for path in self._folder.glob("*.db")}, key=int):
            for metric in ProcessCollector(pid=partial(int, worker), registry=None).collect():
                kept = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                kept.samples += [sample._replace(labels={"worker": worker}) for sample in metric.samples]
        yield from found.values()
