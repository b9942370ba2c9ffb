"""``hazecast map``: draw maps and charts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.cli.options import DataDir, Language, city_ids, client_of, open_store, refuse_given, settings_of
from hazecast.services.cli.output import write_file

if TYPE_CHECKING:
    from hazecast.alerts.maps.options import Format
    from hazecast.grids.places.cities import Registry
    from hazecast.services.core.settings import Settings
    from hazecast.services.store.tables.forecasts import ForecastRun
    from hazecast.services.work.stored_forecast import Look


app = typer.Typer()


class Kind(StrEnum):
    """The kinds of maps and charts."""

    HAZE = "haze"
    PM25 = "pm25"
    O3 = "o3"
    AQI = "aqi"
    ANIMATION = "animation"
    FAN = "fan"


@app.command(name="map")
def draw_map(
    context: typer.Context,
    out: Annotated[
        Path, typer.Argument(help="The file to write: .png; of an animation .webp, .gif or .png, which is its format.")
    ],
    kind: Annotated[Kind, typer.Option("--kind", help="What to draw.")] = Kind.HAZE,
    hour: Annotated[
        int, typer.Option("--hour", min=1, help="Hours after the init time; of an animation, the first.")
    ] = 1,
    city: Annotated[str, typer.Option("--city", autocompletion=city_ids, help="The city of a fan.")] = "beijing",
    pollutant: Annotated[str, typer.Option("--pollutant", help="pm25 or o3: of a fan or an animation.")] = "pm25",
    language: Language = "zh",
    size: Annotated[str, typer.Option("--size", help="desktop or phone.")] = "desktop",
    data_dir: DataDir = None,
) -> None:
    """Draw a map or chart of the latest forecast."""
    from hazecast.services.work.stored_forecast import Look

    _check(context, kind, out)
    look = Look(language, size)
    if (remote := client_of(context)) is not None:
        with remote as client:
            content = client.picture(_path(kind, city, pollutant, out), **_query(kind, hour, pollutant, look))
    else:
        content = _of_latest(settings_of(data_dir), kind, hour, city, pollutant, out, look)
    write_file(out, content)


def _check(context: typer.Context, kind: Kind, out: Path) -> None:
    """Refuse a file's ending that is not the picture's format, and options that this kind does not have."""
    from hazecast.grids.errors import InputError

    if kind is Kind.ANIMATION:
        _form(out)
    elif out.suffix.lower() != ".png":
        raise InputError("map", out.name, "a name that ends with .png")
    if kind is not Kind.FAN:
        refuse_given(context, {"city": "--city"}, "--kind fan with it")
    if kind not in (Kind.FAN, Kind.ANIMATION):
        refuse_given(context, {"pollutant": "--pollutant"}, "--kind fan or animation with it")
    if kind in (Kind.HAZE, Kind.FAN):
        refuse_given(context, {"hour": "--hour"}, "--kind pm25, o3, aqi or animation with it")


def _form(out: Path) -> Format:
    from hazecast.grids.errors import InputError
    from hazecast.services.work.stored_forecast import MEDIA_TYPES

    form = next((f for f in MEDIA_TYPES if out.suffix.lower() == f".{f}"), None)
    if form is None:
        raise InputError("animation", out.name, f"a name that ends with one of {sorted(MEDIA_TYPES)}")
    return form


def _path(kind: Kind, city: str, pollutant: str, out: Path) -> str:
    if kind is Kind.ANIMATION:
        return f"day/{pollutant}.{_form(out)}"
    return f"fan/{city}.png" if kind is Kind.FAN else f"{kind.value}.png"


def _query(kind: Kind, hour: int, pollutant: str, look: Look) -> dict[str, Any]:
    query: dict[str, Any] = {"language": look.language, "size": look.size}
    if kind is Kind.FAN:
        return query | {"pollutant": pollutant}
    return query if kind is Kind.HAZE else query | {"lead_time": hour}


def _of_latest(settings: Settings, kind: Kind, hour: int, city: str, pollutant: str, out: Path, look: Look) -> bytes:
    from hazecast.grids.errors import InputError
    from hazecast.services.core.places import city_registry
    from hazecast.services.core.shapes import use_shapes
    from hazecast.services.work import haze_maps, maps

    use_shapes(settings)
    registry = city_registry(settings)
    with open_store(settings) as store:
        run = store.latest_run()
        if run is None:
            raise InputError("store", settings.database_url, "at least one forecast; run hazecast run")
        if kind is Kind.HAZE:
            return haze_maps.haze_of_run(settings, store, run, registry, look)
        if kind is Kind.FAN:
            return maps.fan_of_run(store, run, registry, city, pollutant, look)
        return _of_values(run, registry, kind, hour, pollutant, out, look)


def _of_values(
    run: ForecastRun, registry: Registry, kind: Kind, hour: int, pollutant: str, out: Path, look: Look
) -> bytes:
    """Draw the values of a pollutant or index in one hour, or an animation of a day."""
    from hazecast.alerts.maps.sheet import as_png
    from hazecast.grids.errors import InputError
    from hazecast.services.work import maps
    from hazecast.services.work.stored_forecast import VALUE_KINDS, load_forecast

    wanted = pollutant if kind is Kind.ANIMATION else kind.value
    layer = next((known for known in VALUE_KINDS if known == wanted), None)
    if layer is None:
        raise InputError("--pollutant", pollutant, f"one of {list(VALUE_KINDS)}")
    forecast = load_forecast(run.netcdf_path)
    if kind is Kind.ANIMATION:
        return maps.draw_day(forecast, registry, layer, hour, look, _form(out))
    return as_png(maps.draw_hour(forecast, registry, layer, hour, look))
