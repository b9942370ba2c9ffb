"""The reads that answer readers, for tests and benchmarks of what years of history cost them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hazecast.services.store.reads import (
    WarningFilter,
    next_change,
    public_version,
    recent_warnings,
    runs_page,
    warnings_page,
)
from hazecast.services.store.store import Store

NOW = datetime(2026, 1, 16, 3, tzinfo=UTC)
READS: dict[str, Callable[[Store], Any]] = {
    "latest run": lambda store: store.latest_run(),
    "run": lambda store: store.run_at(NOW, False),
    "runs": lambda store: runs_page(store, simulated=False, start=None, end=None, after=None, limit=5),
    "version": public_version,
    "in force": lambda store: store.warnings_in_force(NOW, False),
    "before a run": lambda store: store.warnings_before(NOW, False),
    "one": lambda store: store.warning("cma_haze.beijing.20260116T0200Z"),
    "feed": lambda store: recent_warnings(store, False, NOW, 48, limit=500),
    "next change": lambda store: next_change(store, False, NOW, []),
    "page": lambda store: warnings_page(store, False, WarningFilter(), after=(NOW, "x"), limit=5),
}
