"""All studies: importing this module imports theirs, in the order in which they are listed."""

from __future__ import annotations

from difflib import get_close_matches

from hazecast.grids.errors import UnknownError
from hazecast.services.research.studies import (
    box,
    climatology,
    emissions,
    exhaust,
    laboratory,
    measures,
    ozone,
    particles,
    provinces,
    quality,
    siting,
    sources,
    trajectories,
    visibility,
    voc,
    wind,
)
from hazecast.services.research.studies.asking import COMMANDS, SERVED, Study

__all__ = [
    "COMMANDS",
    "SERVED",
    "box",
    "climatology",
    "emissions",
    "exhaust",
    "laboratory",
    "measures",
    "ozone",
    "particles",
    "provinces",
    "quality",
    "siting",
    "sources",
    "study_named",
    "trajectories",
    "visibility",
    "voc",
    "wind",
]


def study_named(name: str) -> Study:
    """Return a study that the API offers.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable

    Raises
    ------
    UnknownError
        If there is none of that name.
    """
    if name not in SERVED:
        near = get_close_matches(name, SERVED, 1)
        raise UnknownError("study", name[:80], f"{near[0]}?" if near else "one that /v1/studies lists")
    return SERVED[name]
