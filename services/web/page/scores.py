"""How the forecasts of a city verified, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

import numpy as np

from hazecast.alerts.messages.texts import Language
from hazecast.grids.places.cities import City
from hazecast.services.store.scores import newest_scored
from hazecast.services.store.store import Store
from hazecast.services.web.page.snapshot import Snapshot
from hazecast.services.web.page.words import Words
from hazecast.services.web.page.words import words as words_of
from hazecast.services.work.verification import WINDOW_DAYS, banded_scores

_ORDER = {"pm25": 0, "o3": 1}


@dataclass(frozen=True)
class ScoreView:
    """Verification scores of the forecasts of one day ahead; `cams` is empty where no chemistry model was known."""

    pollutant: str
    lead: int
    error: str
    persistence: str
    cams: str
    coverage: str


def skill(snapshot: Snapshot, store: Store, city: City, words: Words) -> tuple[date, list[ScoreView]] | None:
    """Return how the forecasts of the newest run's model verified in a city, by pollutant and day ahead.

    Parameters
    ----------
    snapshot : Snapshot
    store : Store
    city : City
    words : Words

    Returns
    -------
    (date, list of ScoreView) or None
        With the newest scored day. None where nothing is scored yet, and for a simulated run, which can't be verified.
    """
    newest = newest_scored(store)
    if newest is None or snapshot.run is None or snapshot.run.simulated:
        return None
    return _skill(store, newest, city.id, snapshot.run.model_id, words.language)


@lru_cache(maxsize=256)
def _skill(
    store: Store, newest: tuple[date, datetime], city: str, model_id: str, language: Language
) -> tuple[date, list[ScoreView]] | None:
    words = words_of(language)
    board = banded_scores(store, WINDOW_DAYS, (city,))
    if board.empty or not (board["model_id"] == model_id).any():
        return None
    board = board[board["model_id"] == model_id]
    views = []
    for row in board.to_dict("records"):
        views.append(
            ScoreView(
                pollutant=str(row["pollutant"]),
                lead=(int(str(row["lead"]).split("-")[0]) - 1) // 24 + 1,
                error=words.number(float(row["mae"])),
                persistence=_against(float(row["persistence_rmse_ratio"]), words) or "–",
                cams=_against(float(row["cams_rmse_ratio"]), words),
                coverage=words.catalog.percent(float(row["coverage80"])) if np.isfinite(row["coverage80"]) else "–",
            )
        )
    return newest[0], sorted(views, key=lambda v: (_ORDER.get(v.pollutant, 9), v.lead))


def _against(ratio: float, words: Words) -> str:
    """Return in words by how much an error is smaller or larger than a baseline's; empty where that isn't known."""
    if not np.isfinite(ratio):
        return ""
    share = words.catalog.percent(abs(1.0 - ratio))
    return words.say("skill.better" if ratio <= 1.0 else "skill.worse", share=share)
