"""Forecasts of a chemistry model on disk, as issued, and which of them was known at a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import xarray as xr

from hazecast.grids.contract import check
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime64
from hazecast.services.store.cycles import CycleStore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnownComposition:
    """The issue that was known at a time, at the cities asked for (contract "composition"), and what it is, in words."""

    dataset: xr.Dataset
    source: str


class CompositionStore(CycleStore):
    """The folder of ingested runs of a chemistry model; each stays as it was first issued."""

    def save(self, source: str, dataset: xr.Dataset) -> Path:
        """Store a run as `CycleStore.save` does, unless it is there already.

        Parameters
        ----------
        source : str
            Name of the source.
        dataset : xarray.Dataset
            Contract "composition", with the attribute ``retrieved_at``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        StoreError
            If it can't be written.
        """
        path = self.path_of(source, dataset)
        return path if path.exists() else super().save(source, dataset)

    def known(self, at: datetime, cities: Sequence[City], preference: Sequence[str]) -> KnownComposition | None:
        """Return the newest run that had been retrieved by `at` and reaches beyond it.

        Of several equally new ones it is that of the source named first. A damaged file is passed over and logged.

        Parameters
        ----------
        at : datetime
            Aware.
        cities : sequence of City
        preference : sequence of str
            Names of sources.

        Returns
        -------
        KnownComposition or None
            None if no such run is there.
        """
        rank = {name: number for number, name in enumerate(preference)}
        for _, source, path in sorted(
            self.cycles(at), key=lambda c: (-c[0].timestamp(), rank.get(c[1], len(rank)), c[1])
        ):
            try:
                dataset, retrieved = _opened(path)
            except InputError as error:
                log.error("%s", error)
                continue
            if retrieved > at:
                continue
            if dataset["time"].values[-1] <= to_datetime64(at):
                # Older ones end still earlier.
                return None
            return KnownComposition(dataset.reindex(city=[city.id for city in cities]), _described(dataset, source))
        return None


def _opened(path: Path) -> tuple[xr.Dataset, datetime]:
    """Return a stored run and when it was retrieved."""
    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            dataset = opened.load()
        retrieved = datetime.fromisoformat(str(dataset.attrs["retrieved_at"]))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(str(path), error, "a stored run; remove the file and ingest again") from error
    return check(dataset, "composition", name=str(path)), retrieved


def _described(dataset: xr.Dataset, source: str) -> str:
    text = f"{dataset.attrs['source']}, forecast of {dataset.attrs['init_time']}"
    if dataset.attrs.get("late"):
        text += f"; {source} is late"
    if dataset.attrs.get("unexpectedly_absent"):
        text += f"; lacks {dataset.attrs['unexpectedly_absent']}"
    return text
