"""``hazecast study visibility``: fits of visibility to a weather station's reports, and their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hazecast.services.cli.options import settings_of, time_of
from hazecast.services.cli.studies.options import Output, option_groups
from hazecast.services.cli.studies.output import emit
from hazecast.services.research.studies.result import Result

app = typer.Typer()


@app.command()
@option_groups
def visibility(
    observations: Annotated[Path, typer.Option("--observations", help="Folder of a collection with PM2.5.")],
    weather_station: Annotated[
        Path, typer.Option("--weather-station", help="Folder of NOAA ISD files with the visibility of the same place.")
    ],
    test_from: Annotated[
        str, typer.Option("--test-from", help="Fitted to the hours before, scored on those from it on.")
    ],
    city: Annotated[str, typer.Option("--city", help="City of the collection.")] = "beijing",
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Write the learned visibility here, as forecast/visibility_sites has it."),
    ] = None,
    *,
    output: Output,
) -> None:
    """Fit the visibility law and a site's learned visibility; hits and false alarms below 2, 3 and 5 km."""
    from hazecast.forecast.site_visibility import as_json
    from hazecast.forecast.studies.visibility.comparison import compare_fits
    from hazecast.forecast.studies.visibility.hours import paired_hours
    from hazecast.grids.observations.collections import read_observations
    from hazecast.grids.observations.isd import read_isd
    from hazecast.grids.times import to_datetime64
    from hazecast.services.core.files import atomic_write
    from hazecast.services.core.places import city_registry

    data, station = read_observations(observations, None), read_isd(weather_station)
    longitude = city_registry(settings_of(None)).city(city).longitude
    hours = paired_hours(data.observations["pm25"].sel(city=city), station, longitude)
    source = f"{station.attrs['source']}; PM2.5 of {data.source}"
    found = compare_fits(hours, to_datetime64(time_of(test_from, "--test-from")), city, source)
    if save is not None:
        with atomic_write(save) as part:
            part.write_text(as_json(found.site), encoding="utf-8")
    emit(Result(found.summary, {"scores": found.scores}, printed=("scores",)), output)
