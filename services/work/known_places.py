"""Warnings of cities that the service knows: one whose file is gone has no name, clock or area to say them with."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.places.cities import Registry

log = logging.getLogger(__name__)


def of_known_cities(warnings: Iterable[HazeWarning], registry: Registry) -> list[HazeWarning]:
    """Return the warnings of known cities; the others are logged, and the check ``cities`` of readiness names them.

    Parameters
    ----------
    warnings : iterable of HazeWarning
    registry : Registry

    Returns
    -------
    list of HazeWarning
        In their order.
    """
    warnings = list(warnings)
    unknown = [one.id for one in warnings if not registry.knows(one.city)]
    if unknown:
        log.error("left out are warnings of cities that no file names any more: %s", ", ".join(unknown))
    return [one for one in warnings if registry.knows(one.city)]
