"""The query of the page's address: which city, layer, hour and language a view shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from starlette.requests import Request

from hazecast.alerts.messages.texts import BEIJING, LANGUAGES, Language
from hazecast.forecast.layers import LAYERS
from hazecast.grids.places.cities import City
from hazecast.services.web.page.index_choice import Choice
from hazecast.services.web.page.words import preferred


@dataclass(frozen=True)
class PageQuery:
    """A view of the page, as its address requests it."""

    language: Language
    given_language: bool
    city: City | None
    partner: City | None
    layer: str
    time: datetime | None
    index: Choice | None = None
    init_time: datetime | None = None

    @property
    def run(self) -> str | None:
        """The init time of the run that is asked for, as addresses hold it."""
        return f"{self.init_time:%Y-%m-%dT%H:%MZ}" if self.init_time else None

    def address(self, **changes: str | None) -> str:
        """Return the address of this view with some of its parts changed; None leaves a part out."""
        parts: dict[str, str | None] = {
            "city": self.city.id if self.city else None,
            "partner": self.partner.id if self.partner else None,
            "layer": self.layer if self.layer != LAYERS[0] else None,
            "time": f"{self.time:%Y-%m-%dT%H:%MZ}" if self.time else None,
            "index": self.index,
            "init_time": self.run,
            "lang": self.language if self.given_language else None,
        }
        present = {name: value for name, value in (parts | changes).items() if value is not None}
        return "/" + ("?" + urlencode(present, safe=":") if present else "")


def query_of_language(request: Request) -> PageQuery:
    """Return the query of a page that is of no place or hour: it has a language alone."""
    wanted = request.query_params.get("lang")
    language = preferred(request.headers.get("accept-language", ""), wanted)
    return PageQuery(language, wanted in LANGUAGES, None, None, LAYERS[0], None)


def page_zone(query: PageQuery) -> str:
    """Return the time zone of the slider: that of the chosen city, else Beijing's, as on maps and bulletins."""
    return query.city.time_zone if query.city else BEIJING
