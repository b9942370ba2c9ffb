"""``hazecast study visibility``: fits of visibility to a weather station's reports, and their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hazecast.services.research.studies.asking import Local, Observed, Option, study
from hazecast.services.research.studies.observations import Observations
from hazecast.services.research.studies.result import Result


@study
def visibility(
    observations: Annotated[
        Observations, Observed("With PM2.5; in a request also with visibility, temperature and dew point.")
    ],
    test_from: Annotated[str, Option("Fitted to the hours before, scored on those from it on; ISO 8601 with offset.")],
    weather_station: Annotated[
        Path | None, Local("Folder of NOAA ISD files with the visibility of the same place.")
    ] = None,
    city: Annotated[str, Option("City that was observed.")] = "beijing",
    save: Annotated[
        Path | None, Local("Write the learned visibility here, as forecast/visibility_sites has it.")
    ] = None,
) -> Result:
    """Fit the visibility law and a site's learned visibility; hits and false alarms below 2, 3 and 5 km."""
    from hazecast.forecast.site_visibility import as_json
    from hazecast.forecast.studies.visibility.comparison import compare_fits
    from hazecast.forecast.studies.visibility.hours import paired_hours
    from hazecast.services.core.files import atomic_write
    from hazecast.services.research.studies.asking import aware_time

    longitude = observations.registry.city(city).longitude
    pm25, station, source = observations.visibility(city, weather_station)
    found = compare_fits(paired_hours(pm25, station, longitude), aware_time(test_from, "--test-from"), city, source)
    if save is not None:
        with atomic_write(save) as part:
            part.write_text(as_json(found.site), encoding="utf-8")
    return Result(found.summary, {"scores": found.scores}, printed=("scores",))
