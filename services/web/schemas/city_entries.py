"""What the API takes of a city as an administrator enters it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hazecast.grids.places.cities import Country, IndexName
from hazecast.services.core.city_fields import as_entered
from hazecast.services.core.field_limits import at_most, plain_line

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
        """Return what a file says of the city."""
        return as_entered({"id": city, **self.model_dump()})


class NewCityIn(CityFieldsIn):
    """A new city."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"id": "lyon", **_EXAMPLE}})

    id: _Id = Field(description="Small letters, digits and underscores; it stays.")

    def fields(self, city: str | None = None) -> dict[str, Any]:
        """Return what a file says of the city."""
        return super().fields(city or self.id)
