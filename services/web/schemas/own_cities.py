"""What the API answers about the cities as an administrator sees them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from pydantic import BaseModel, Field

from hazecast.alerts.geography.kinds import AreaKind
from hazecast.services.core.city_fields import Change, Trouble
from hazecast.services.web.schemas.forecasts import CityOut
from hazecast.services.web.schemas.items import ItemsOut

if TYPE_CHECKING:
    from hazecast.services.store.tables.places import CityChange

Note = Literal["english_only", "without_rules", "replaces_shipped", "zone_of_another_country", "coordinates_swapped"]


class AdministeredCityOut(CityOut):
    """A city with where it is entered and what the service has of it."""

    stations: list[str] = Field(description="network:place")
    origin: Literal["shipped", "own"]
    file: str | None = Field(description="The file of own cities that it is entered in.")
    editable: bool = Field(description="Whether it can be changed here: not where a file holds others too.")
    wanted: bool = Field(description="False where it is known and not forecast.")
    rated_by: str | None = Field(
        description="Whose index rates its days, where that isn't its country's: china, us, japan, korea, europe or who."
    )
    index: str = Field(description="Id of the standard that rates its days.")
    rule_sets: list[str] = Field(description="Ids of the rule sets that apply to it now.")
    stations_known: int = Field(description="Monitoring stations that the store has of it.")
    stations_reporting: int = Field(description="Of these with a usable value in the last 24 h.")
    forecast_by: Literal["model", "stand_in", "none"] = Field(
        description="Whether the newest run's forecast of it is by the trained model, by what stands in, or missing."
    )
    reason: str | None = Field(description="Why the newest run left it out.")


class FolderOut(BaseModel):
    """The folder of own cities: why it can't be written, and what a person should know of it; ids of cities."""

    trouble: Trouble | None
    fault: str | None = Field(description="What is wrong with its files; the cities before stay in use.")
    replaced: list[str] = Field(default=[], description="Take the place of a shipped city.")
    not_forecast: list[str] = Field(default=[], description="Are known, not forecast.")
    english_only: list[str] = Field(default=[], description="Are named in English alone.")
    without_rules: list[str] = Field(default=[], description="Have no rule set of their country.")


class AdministeredCitiesOut(ItemsOut[AdministeredCityOut]):
    """A page of the cities, the bureau's own first."""

    folder: FolderOut
    init_time: datetime | None = Field(description="Of the newest run.")
    model_id: str | None
    simulated: bool | None


class AreaOut(BaseModel):
    """The area that a city's warnings are for."""

    area: dict[str, Any] = Field(description="GeoJSON geometry, degrees.")
    kind: AreaKind = Field(description="A whole municipality, what lies around the centre, or the bureau's own shape.")
    administrative: bool = Field(description="Whether it is what the city's code names.")
    cut: bool = Field(description="Whether a neighbour's midline or area takes a part of it.")


class CheckedCityOut(CityOut, AreaOut):
    """What a city would be; nothing is written."""

    index: str
    rule_sets: list[str]
    notes: list[Note]
    nearest: str | None = Field(description="Id of the nearest other city.")
    distance: float | None = Field(description="km to it")


class CityChangeOut(BaseModel):
    """A step in the audit of a city."""

    at: datetime
    action: Change
    by: str = Field(description="Name of the account or, where the command did it, of the user of the machine.")
    account: str | None = Field(description="Null where the command did it.")
    key: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @classmethod
    def of(cls, row: CityChange) -> Self:
        """Return a step as the API and the command show it."""
        before, after = (None if text is None else json.loads(text) for text in (row.before, row.after))
        return cls(
            at=row.at, action=cast(Change, row.action), by=row.by, account=row.account_id, key=row.key_id,
            before=before, after=after,
        )  # fmt: skip


class CityDetailOut(AdministeredCityOut, AreaOut):
    """One city with its area and what was done with it."""

    changes: list[CityChangeOut]
