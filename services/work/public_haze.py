"""Which warnings the map and areas of haze of a stored run show, and under which names those products are stored.

Where a person must approve the haze signal, the public sees of it what was approved: the areas of the warnings in
force, and nothing that is computed from the forecast by the signal's criteria. Loads no drawing library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.engine.window import signal_window
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import shapes_state
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.work.stored_forecast import Look


def needs_approval(settings: Settings, rules: RuleSet) -> bool:
    """Return whether a person must approve what is published of a rule set.

    Parameters
    ----------
    settings : Settings
    rules : RuleSet

    Returns
    -------
    bool
    """
    return rules.id in settings.warnings.approval


def shown_warnings(store: Store, run: ForecastRun, book: RuleBook) -> tuple[HazeWarning, ...]:
    """Return the warnings that the map of a run shows: those in force now, of an old run at the end of its window.

    Parameters
    ----------
    store : Store
    run : ForecastRun
    book : RuleBook
        Its haze signal has the window.

    Returns
    -------
    tuple of HazeWarning
    """
    _, end = signal_window(run.init_time, book.haze_signal)
    at = max(run.init_time, min(store.clock(), end - timedelta(seconds=1)))
    return tuple(store.warnings_in_force(at, run.simulated))


def haze_name(settings: Settings, in_force: Sequence[HazeWarning], look: Look) -> str:
    """Return the name of the product that is a haze map: it changes with the warnings in force.

    Parameters
    ----------
    settings : Settings
    in_force : sequence of HazeWarning
    look : Look

    Returns
    -------
    str
    """
    return f"haze-{look.language}-{look.size}-{_state(settings, in_force)}.png"


def areas_name(settings: Settings, in_force: Sequence[HazeWarning]) -> str:
    """Return the name of the product that is the areas of haze: of the forecast alone, unless a person must approve.

    Parameters
    ----------
    settings : Settings
    in_force : sequence of HazeWarning

    Returns
    -------
    str
    """
    if needs_approval(settings, rule_book(settings).haze_signal):
        return f"areas-{_state(settings, in_force)}.json"
    # The forecast's own areas hold nothing of a bureau's file.
    return "areas.json"


def _state(settings: Settings, in_force: Sequence[HazeWarning]) -> str:
    lines = [",".join(sorted(settings.warnings.approval)), shapes_state(settings)]
    lines += sorted(f"{w.rule_set} {w.city} {w.level} {w.onset} {w.expires}" for w in in_force)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
