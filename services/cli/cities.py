"""``hazecast cities``: the cities that are forecast, and those of the bureau's own files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import AsJson, settings_of
from hazecast.services.cli.output import print_json

if TYPE_CHECKING:
    from hazecast.grids.places.cities import City

app = typer.Typer(help="The cities that are forecast: list them, check and add the bureau's own.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--dir", help="Folder of own cities; default HAZECAST_CITIES_DIR.")]
Chosen = Annotated[str | None, typer.Option("--country", help="Only of this country, such as FR.")]


@app.command(name="list")
def list_cities(country: Chosen = None, as_json: AsJson = False) -> None:
    """List the cities that are forecast, the bureau's own marked."""
    from hazecast.services.core.places import city_registry

    settings = settings_of(None)
    registry, own = city_registry(settings), _own_ids(settings.places.cities_dir)
    found = [city for city in registry.cities.values() if country in (None, city.country)]
    if as_json:
        print_json([city.model_dump() | {"own": city.id in own} for city in found])
        return
    for city in found:
        print(_line(city, "own" if city.id in own else "shipped"))


@app.command()
def check(folder: Folder = None) -> None:
    """Check the files of own cities, and say what they add, replace and leave out."""
    from hazecast.grids.places.own import own_registry, read_folder
    from hazecast.services.core.own_cities import findings
    from hazecast.services.core.rules import rule_book

    settings = settings_of(None)
    where = _folder(folder)
    cities, regions = read_folder(where)
    registry = own_registry(where, shipped=settings.places.shipped_cities)
    found = findings(where, registry, rule_book(settings))
    print(f"{where}: {len(cities)} cities, {len(regions)} regions; {len(registry.cities)} cities are forecast in all")
    for text, names in (
        ("replace a shipped city", found.replaced),
        ("are known, not forecast", found.not_forecast),
        ("are named in English alone", found.english_only),
        ("have no rule set of their country", found.without_rules),
    ):
        if names:
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""
            print(f"{len(names)} {text}: {', '.join(names[:10])}{more}")


@app.command()
def add(
    city: Annotated[str, typer.Argument(help="Id: small letters, digits and underscores.")],
    name: Annotated[str, typer.Option("--name", help="Name in English, or in Latin letters.")],
    country: Annotated[str, typer.Option("--country", help="ISO 3166-1, two letters, such as FR.")],
    latitude: Annotated[float, typer.Option("--latitude", help="Degrees north.")],
    longitude: Annotated[float, typer.Option("--longitude", help="Degrees east.")],
    time_zone: Annotated[str, typer.Option("--time-zone", help="IANA name, such as Europe/Paris.")],
    name_zh: Annotated[str | None, typer.Option("--name-zh", help="Name in Chinese.")] = None,
    name_ja: Annotated[str | None, typer.Option("--name-ja", help="Name in Japanese.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Id of its region; default: one by itself.")] = None,
    elevation: Annotated[float | None, typer.Option("--elevation", help="m.")] = None,
    code: Annotated[str | None, typer.Option("--code", help="GB/T 2260 or JIS X 0402.")] = None,
    station: Annotated[
        list[str] | None, typer.Option("--station", help="network:place that its stations publish; may be repeated.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Add a city: write CITY.toml into the folder of own cities, after a check with all that is there."""
    from hazecast.services.core.own_cities import add_city

    given = {
        "id": city, "name_en": name, "name_zh": name_zh, "name_ja": name_ja, "country": country, "region": region,
        "latitude": latitude, "longitude": longitude, "elevation": elevation, "time_zone": time_zone, "code": code,
        "stations": station or None,
    }  # fmt: skip
    where = _folder(folder, make=True)
    path = add_city(where, {field: value for field, value in given.items() if value is not None}, settings_of(None))
    print(path)
    print(f"{city} is forecast from the next cycle on")


def _folder(folder: Path | None, *, make: bool = False) -> Path:
    from hazecast.grids.errors import InputError

    found = folder or settings_of(None).places.cities_dir
    if found is None:
        raise InputError("HAZECAST_CITIES_DIR", "not set", "a folder of own cities, there or by --dir")
    if make:
        found.mkdir(parents=True, exist_ok=True)
    return found


def _own_ids(folder: Path | None) -> set[str]:
    from hazecast.grids.places.own import read_folder

    return set() if folder is None else set(read_folder(folder)[0])


def _line(city: City, kind: str) -> str:
    position = f"{city.latitude:8.3f} {city.longitude:9.3f}"
    return f"{city.id:20} {city.country} {position}  {city.time_zone:22} {kind:8} {city.name_en}"
