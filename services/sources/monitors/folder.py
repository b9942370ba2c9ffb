"""A folder of a bureau's own tables, as exported from its own system.

``stations.csv`` has the columns code, name, latitude, longitude and any of city, siting, licence, attribution; without a
city a station is the nearest one's. The tables beside it and below are read as
`hazecast.grids.observations.tables` says: by their mapping files, or by what they tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import StationCities
from hazecast.grids.observations.tables.folder import TableData, by_station, read_folder
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality import MEASURED_ZERO
from hazecast.grids.times import to_datetime
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import Patience
from hazecast.services.sources.monitors.interface import HOUR, MEASURED, Batch, History, SourceKind, measured_name

# Of derived weather: what is computed again must be equal, or it would be a revision.
_DIGITS = 4


class CsvFolder:
    """The tables of a folder, read at each fetch.

    Parameters
    ----------
    folder : Path
    registry : Registry
    rules : StationCities
        Its radius assigns stations without a city to the nearest one.
    """

    name = "csv"
    kind: SourceKind = "measurement"
    reporting = MEASURED_ZERO
    history = History(reach=None, span=90 * 24 * HOUR)

    def __init__(self, folder: Path, registry: Registry, rules: StationCities) -> None:
        self._folder, self._registry, self._rules = folder, registry, rules

    @classmethod
    def from_settings(
        cls, settings: Settings, registry: Registry, rules: StationCities, patience: Patience | None = None
    ) -> CsvFolder:
        """Make the source from the settings; a `MonitorSourceFactory`.

        Parameters
        ----------
        settings : Settings
        registry : Registry
        rules : StationCities
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        CsvFolder

        Raises
        ------
        InputError
            If the folder is not set.
        """
        if settings.ingest.monitor_dir is None:
            raise InputError("HAZECAST_MONITOR_DIR", "not set", "a folder, since monitor_sources names 'csv'")
        return cls(settings.ingest.monitor_dir, registry, rules)

    def close(self) -> None:
        """Nothing is held open."""

    def fetch(self, hours: Sequence[datetime]) -> Batch:
        """Return the hours wanted; cells, rows and files that can't be used are reported, and the others are read.

        Raises
        ------
        InputError
            If the folder or its stations can't be read, or no table can.
        """
        return batch_of(read_folder(self._folder, self._registry, self._rules, (hours[0], hours[-1])))


def batch_of(data: TableData) -> Batch:
    """Return the values of tables as readings: pollutants as published, weather in the contract's units."""
    batch = Batch(counts=data.findings.counts, problems=[*map(str, data.findings.faults), *data.findings.doubts])
    pollutants = data.values[data.values["quantity"].isin(list(POLLUTANTS))]
    for (code, hour), own in pollutants.groupby(["station", "time"], sort=True):
        values = [
            (str(name), _known(value), str(unit))
            for name, value, unit in zip(own["quantity"], own["value"], own["unit"], strict=True)
        ]
        batch.add(data.stations[str(code)], to_datetime(pd.Timestamp(str(hour)).to_datetime64()), values)
    for code, hours in by_station(data).items():
        short = {name: measured_name(name) for name in hours.columns if measured_name(name) in MEASURED}
        for hour, row in hours[list(short)].round(_DIGITS).iterrows():
            # An hour of another quantity says nothing of this one.
            known = [(ours, _known(row[name])) for name, ours in short.items()]
            beside = [(ours, value, MEASURED[ours].units) for ours, value in known if value is not None]
            batch.add(data.stations[code], to_datetime(pd.Timestamp(str(hour)).to_datetime64()), beside)
    return batch


def _known(value: object) -> float | None:
    number = float(str(value))
    return number if math.isfinite(number) else None
