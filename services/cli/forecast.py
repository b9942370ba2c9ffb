"""``hazecast forecast``: print the forecast of a city."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import DataDir, city_ids, client_of, open_store, settings_of

if TYPE_CHECKING:
    from hazecast.services.core.settings import Settings
    from hazecast.services.web.schemas.forecasts import ForecastOut, PollutantOut

app = typer.Typer()


@app.command()
def forecast(
    context: typer.Context,
    city: Annotated[str, typer.Argument(autocompletion=city_ids, help="Id of the city, such as beijing.")],
    hours: Annotated[int | None, typer.Option("--hours", min=1, help="Only the first hours.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON of the API.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print the latest forecast of a city by hour: medians, and the range of 80 % in brackets."""
    if (remote := client_of(context)) is not None:
        with remote as client:
            found = client.forecast(city)
    else:
        found = _stored(settings_of(data_dir), city)
    found.hours = found.hours[:hours]
    print(found.model_dump_json(indent=2) if as_json else _table(found, settings_of(data_dir)))


def _stored(settings: Settings, city: str) -> ForecastOut:
    from hazecast.grids.errors import InputError
    from hazecast.services.core.places import city_registry
    from hazecast.services.web.forecast_content import forecast_of_city

    place = city_registry(settings).city(city)
    with open_store(settings) as store:
        run = store.latest_run()
        found = None if run is None else forecast_of_city(store, run, place)
    if found is None:
        raise InputError("store", settings.database_url, f"a forecast of {city}; run hazecast run")
    return found


def _table(found: ForecastOut, settings: Settings) -> str:
    from hazecast.services.core.places import city_registry
    from hazecast.services.work.local_time import place_name, stamp, zone_name

    city = city_registry(settings).city(found.city)
    zone = zone_name(city.time_zone, found.init_time)
    notes = [word for word, holds in (("SIMULATED", found.simulated), ("degraded", found.degraded)) if holds]
    lines = [
        f"{place_name(city)}, forecast of {stamp(found.init_time, city.time_zone)} ({zone}) by {found.model_id}"
        + (f" ({', '.join(notes)})" if notes else ""),
        f"weather: {found.weather_source}",
        f"{zone:16}  {'PM2.5 ug/m3':>18}  {'O3 ug/m3':>18}  {'RH %':>4}",
    ]
    for hour in found.hours:
        humidity = "-" if hour.relative_humidity is None else f"{hour.relative_humidity:.0f}"
        lines.append(f"{hour.local_time:%Y-%m-%d %H:%M}  {_range(hour.pm25):>18}  {_range(hour.o3):>18}  {humidity:>4}")
    return "\n".join(lines)


def _range(values: PollutantOut) -> str:
    low, middle, high = ("-" if v is None else f"{v:.0f}" for v in (values.q10, values.q50, values.q90))
    return f"{middle} ({low} to {high})"
