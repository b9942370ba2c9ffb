"""What the API takes and answers about the cities as an administrator sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hazecast.alerts.geography.city_areas import Kind
from hazecast.grids.places.cities import City, Country, IndexName
from hazecast.services.core.field_limits import at_most, plain_line
from hazecast.services.core.own_cities import Trouble
from hazecast.services.store.city_changes import Change
from hazecast.services.web.schemas.forecasts import CityOut
from hazecast.services.web.schemas.items import ItemsOut

Note = Literal["english_only", "without_rules", "replaces_shipped"]
_MOST_STATIONS = 100
_Line = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(plain_line)]
_Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
_EXAMPLE: dict[str, Any] = {
    "name_en": "Lyon", "name_zh": "里昂", "name_ja": "リヨン", "country": "FR", "latitude": 45.764, "longitude": 4.836,
    "time_zone": "Europe/Paris", "stations": ["openaq:Lyon Centre"],
}  # fmt: skip


class CityFieldsIn(BaseModel):
    """A city as it shall be; what is left out is as in a file of own cities."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    name_en: _Line = Field(description="In English, or in Latin letters.")
    name_zh: _Line | None = Field(default=None, description="By default the English one.")
    name_ja: _Line | None = Field(default=None, description="By default the English one.")
    country: Country
    region: _Id | None = Field(default=None, description="By default the city is a region by itself.")
    latitude: float = Field(ge=-90.0, le=90.0, description="degrees north, WGS 84")
    longitude: float = Field(ge=-180.0, le=180.0, description="degrees east, WGS 84")
    elevation: float | None = Field(default=None, ge=-500.0, le=6_000.0, description="m")
    time_zone: Annotated[_Line, Field(max_length=64)] = Field(description="IANA name")
    code: Annotated[_Line, Field(max_length=16)] | None = Field(
        default=None, description="GB/T 2260 (China) or JIS X 0402 (Japan) code of the area, which gives its shape."
    )
    stations: Annotated[list[_Line], Field(max_length=_MOST_STATIONS), at_most(_MOST_STATIONS)] = Field(
        default=[], description="network:place, where a network publishes places and no positions."
    )
    rated_by: IndexName | None = Field(
        default=None, description="Whose index rates its days; by default its country's."
    )
    forecast: bool = Field(default=True, description="False: withdrawn; what is stored of it can still be read.")

    def fields(self, city: str) -> dict[str, Any]:
        """Return what a file says of the city: nothing that a file may leave out."""
        given = {"id": city, **self.model_dump(exclude_none=True)}
        return {
            name: value for name, value in given.items() if (name, value) not in (("forecast", True), ("stations", []))
        }


class NewCityIn(CityFieldsIn):
    """A new city."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"id": "lyon", **_EXAMPLE}})

    id: _Id = Field(description="Small letters, digits and underscores; it stays.")

    def fields(self, city: str | None = None) -> dict[str, Any]:
        """Return what a file says of the city."""
        return super().fields(city or self.id)


class AdministeredCityOut(CityOut):
    """A city with where it is entered and what the service has of it."""

    stations: list[str] = Field(description="network:place")
    origin: Literal["shipped", "own"]
    file: str | None = Field(description="The file of own cities that it is entered in.")
    editable: bool = Field(description="Whether it can be changed here: not where a file holds others too.")
    wanted: bool = Field(description="False where it is known and not forecast.")
    rated_by: IndexName | None = Field(description="Whose index rates its days, where that isn't its country's.")
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
    kind: Kind = Field(description="A whole municipality, what lies around the centre, or the bureau's own shape.")
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
    by: str
    account: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class CityDetailOut(AdministeredCityOut, AreaOut):
    """One city with its area and what was done with it."""

    changes: list[CityChangeOut]


def as_fields(city: City) -> dict[str, Any]:
    """Return all fields of a city, for the audit."""
    return {name: getattr(city, name) for name in City.model_fields} | {"stations": list(city.stations)}
