"""The memory that this process has needed, for benchmarks."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def highest_mb() -> float:
    """Return the greatest memory since `forget_highest`, or since the process began its program, MB.

    Where the system tells no more than the greatest of all time, this is that: with what its parent had taken by then.
    """
    if _STATUS.exists():
        return next(
            int(line.split()[1]) * 1.024e-3 for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def forget_highest() -> None:
    """Begin anew where the system can: what was taken before does not count."""
    if _FORGET.exists():
        _FORGET.write_text("5")
