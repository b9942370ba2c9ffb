"""``hazecast cities``: the cities that are forecast, and those of the bureau's own files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import AsJson, By, DataDir, city_ids, current_time, open_store, settings_of, user_of
from hazecast.services.cli.output import print_json, stamp

if TYPE_CHECKING:
    from hazecast.grids.places.cities import City
    from hazecast.services.core.settings import Settings
    from hazecast.services.store.city_writing import Author

app = typer.Typer(
    help="The cities that are forecast: list them, check, add, change and remove the bureau's own.",
    no_args_is_help=True,
)

Folder = Annotated[Path | None, typer.Option("--dir", help="Folder of own cities; default HAZECAST_CITIES_DIR.")]
Id = Annotated[str, typer.Argument(help="Id: small letters, digits and underscores.", autocompletion=city_ids)]
NAME = typer.Option("--name", help="Name in English, or in Latin letters.")
COUNTRY = typer.Option("--country", help="ISO 3166-1, two letters, such as FR.")
LATITUDE = typer.Option("--latitude", help="Degrees north.")
LONGITUDE = typer.Option("--longitude", help="Degrees east.")
TIME_ZONE = typer.Option("--time-zone", help="IANA name, such as Europe/Paris.")
NameZh = Annotated[str | None, typer.Option("--name-zh", help="Name in Chinese.")]
NameJa = Annotated[str | None, typer.Option("--name-ja", help="Name in Japanese.")]
RegionId = Annotated[str | None, typer.Option("--region", help="Id of its region; default: one by itself.")]
Elevation = Annotated[float | None, typer.Option("--elevation", help="m.")]
Code = Annotated[str | None, typer.Option("--code", help="GB/T 2260 or JIS X 0402.")]
Stations = Annotated[
    list[str] | None, typer.Option("--station", help="network:place that its stations publish; may be repeated.")
]
RatedBy = Annotated[
    str | None,
    typer.Option("--rated-by", help="Whose index: china, us, japan, korea, europe or who; default its country's."),
]
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
    where = folder or _folder(settings)
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
    city: Id,
    name: Annotated[str, NAME],
    country: Annotated[str, COUNTRY],
    latitude: Annotated[float, LATITUDE],
    longitude: Annotated[float, LONGITUDE],
    time_zone: Annotated[str, TIME_ZONE],
    name_zh: NameZh = None,
    name_ja: NameJa = None,
    region: RegionId = None,
    elevation: Elevation = None,
    code: Code = None,
    station: Stations = None,
    rated_by: RatedBy = None,
    by: By = None,
    data_dir: DataDir = None,
) -> None:
    """Add a city: write CITY.toml into the folder of own cities, after a check with all that is there."""
    from hazecast.services.core.city_fields import as_entered
    from hazecast.services.store.city_writing import add_city

    given = {
        "id": city, "name_en": name, "name_zh": name_zh, "name_ja": name_ja, "country": country, "region": region,
        "latitude": latitude, "longitude": longitude, "elevation": elevation, "time_zone": time_zone, "code": code,
        "stations": station or [], "rated_by": rated_by,
    }  # fmt: skip
    settings = settings_of(data_dir)
    _folder(settings).mkdir(parents=True, exist_ok=True)
    with open_store(settings) as store:
        path = add_city(store, settings, as_entered(given), _author(by))
    print(path)
    print(f"{city} is forecast from the next cycle on")


@app.command()
def change(
    city: Id,
    name: Annotated[str | None, NAME] = None,
    country: Annotated[str | None, COUNTRY] = None,
    latitude: Annotated[float | None, LATITUDE] = None,
    longitude: Annotated[float | None, LONGITUDE] = None,
    time_zone: Annotated[str | None, TIME_ZONE] = None,
    name_zh: NameZh = None,
    name_ja: NameJa = None,
    region: RegionId = None,
    elevation: Elevation = None,
    code: Code = None,
    station: Stations = None,
    rated_by: RatedBy = None,
    forecast: Annotated[
        bool | None,
        typer.Option("--forecast/--no-forecast", help="Forecast it, or withdraw it and keep what is stored."),
    ] = None,
    by: By = None,
    data_dir: DataDir = None,
) -> None:
    """Change what is given of a city, and keep the rest. A shipped one gets an own file that takes its place."""
    from hazecast.grids.errors import InputError
    from hazecast.services.core.city_fields import as_entered
    from hazecast.services.store.city_writing import change_city, fields_of, known_city

    given = {
        "name_en": name, "name_zh": name_zh, "name_ja": name_ja, "country": country, "region": region,
        "latitude": latitude, "longitude": longitude, "elevation": elevation, "time_zone": time_zone, "code": code,
        "stations": station or None, "rated_by": rated_by, "forecast": forecast,
    }  # fmt: skip
    changed = {field: value for field, value in given.items() if value is not None}
    if not changed:
        raise InputError(f"city {city}", "nothing to change", "an option such as --name or --no-forecast")
    settings = settings_of(data_dir)
    _folder(settings)
    fields = as_entered(fields_of(known_city(settings, city)) | changed)
    with open_store(settings) as store:
        print(change_city(store, settings, fields, _author(by)))
    print(f"{city}: {', '.join(changed)} changed, from the next cycle on")


@app.command()
def remove(city: Id, by: By = None, data_dir: DataDir = None) -> None:
    """Remove an own city of which nothing is stored; a shipped one whose place it took is there again."""
    from hazecast.services.store.city_writing import remove_city

    settings = settings_of(data_dir)
    _folder(settings)
    with open_store(settings) as store:
        remove_city(store, settings, city, _author(by))
    print(f"{city} removed")


@app.command()
def history(city: Id, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say what was done with a city, by whom."""
    from hazecast.services.store.city_changes import changes_of

    with open_store(settings_of(data_dir)) as store:
        found = changes_of(store, city)
    if as_json:
        from hazecast.services.web.schemas.own_cities import CityChangeOut

        print_json([CityChangeOut.of(row).model_dump(mode="json") for row in found])
        return
    for row in found:
        print(
            f"{stamp(row.at)} {row.action:<6} by {row.by}" + (f", account {row.account_id}" if row.account_id else "")
        )


def _author(by: str | None) -> Author:
    from hazecast.services.store.city_writing import Author

    return Author(user_of(by), current_time())


def _folder(settings: Settings) -> Path:
    from hazecast.grids.errors import InputError

    found = settings.places.cities_dir
    if found is None:
        raise InputError("HAZECAST_CITIES_DIR", "not set", "a folder of own cities")
    return found


def _own_ids(folder: Path | None) -> set[str]:
    from hazecast.grids.places.own import read_folder

    return set() if folder is None else set(read_folder(folder)[0])


def _line(city: City, kind: str) -> str:
    position = f"{city.latitude:8.3f} {city.longitude:9.3f}"
    return f"{city.id:20} {city.country} {position}  {city.time_zone:22} {kind:8} {city.name_en}"
