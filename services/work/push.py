"""Observations that an account's own system sends: each row is checked by itself, stored once, and screened as all others.

This runs in a subprocess of the API: neither parsing nor quality control takes time from other answers.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import NetworkStation, load_station_cities
from hazecast.grids.observations.tables.findings import Findings
from hazecast.grids.observations.tables.folder import TableData, lone_winds, once
from hazecast.grids.observations.tables.reading import COLUMNS
from hazecast.grids.observations.tables.stations import station_of
from hazecast.grids.observations.tables.units import MEANINGS, conversion, unit_named
from hazecast.grids.places.cities import Registry
from hazecast.grids.quality import MEASURED_ZERO, Reporting
from hazecast.grids.times import to_datetime64
from hazecast.services.core.clock import Clock
from hazecast.services.core.field_limits import at_most
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.sources.monitors.folder import batch_of
from hazecast.services.sources.monitors.interface import SourceKind
from hazecast.services.store.monitors import save_readings
from hazecast.services.store.pushes import earlier_answer, keep_answer, stations_pushed
from hazecast.services.store.store import Store
from hazecast.services.work.push_fields import (
    MOST_ROWS,
    MOST_STATIONS,
    Answer,
    Pushed,
    PushedStation,
    PushedValue,
    RowError,
)

log = logging.getLogger(__name__)

SOURCE = "push"
_NAMED = 20
# Older hours come as a table: their quality control reads all that lies between.
_OLDEST = timedelta(days=31)
_PLACE = "{}[{}]"
_ROWS = "observations"


class _Loose(BaseModel):
    """What was sent before its rows are looked at: a wrong one must not cost the others."""

    model_config = ConfigDict(extra="forbid")

    stations: Annotated[list[JsonValue], at_most(MOST_STATIONS)] = []
    observations: Annotated[list[JsonValue], at_most(MOST_ROWS), Field(min_length=1)]


class _PushSource:
    """What was pushed, as a source of readings."""

    name = SOURCE
    kind: SourceKind = "measurement"
    reporting: Reporting = MEASURED_ZERO

    def fetch(self, hours: Sequence[datetime]) -> Any:
        """Nothing is fetched: it is sent."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class _Errors:
    count: int = 0
    named: list[RowError] | None = None

    def add(self, field: str, reason: str) -> None:
        self.count += 1
        self.named = self.named or []
        if len(self.named) < _NAMED:
            self.named.append(RowError(field=field[:200], reason=reason[:500]))


def push(settings: Settings, account_id: str, key: str | None, body: bytes, now: datetime) -> bytes:
    """Store what an account sent, in one transaction.

    Parameters
    ----------
    database_url : str
    data_dir : Path
    account_id : str
        Its stations are kept apart from those of others.
    key : str or None
        Idempotency-Key: a request of the same key and body is answered as before, and changes nothing.
    body : bytes
        JSON of `Push`.
    now : datetime
        Aware.

    Returns
    -------
    bytes
        JSON of `Answer`.
    """

    def at_now() -> datetime:
        return now

    clock: Clock = at_now
    store = Store(settings.database_url, clock, settings.data_dir)
    try:
        return _answer(store, city_registry(settings), account_id, key, body, now).model_dump_json().encode()
    finally:
        store.close()


def _answer(store: Store, registry: Registry, account_id: str, key: str | None, body: bytes, now: datetime) -> Answer:
    digest = hashlib.sha256(body).hexdigest()
    earlier = None if key is None else earlier_answer(store, account_id, key)
    if earlier is not None:
        if earlier[0] != digest:
            reason = "found another body than the request had that came with this key; expected the same, or a new key"
            return Answer(status=422, detail=reason, errors=[RowError(field="Idempotency-Key", reason=reason)])
        answer = Answer.model_validate_json(earlier[1])
        return answer.model_copy(
            update={"outcome": answer.outcome and answer.outcome.model_copy(update={"repeated": True})}
        )
    try:
        asked = _Loose.model_validate_json(body)
    except ValidationError as error:
        found = [RowError(field=_field("", one["loc"]) or "body", reason=one["msg"]) for one in error.errors()[:_NAMED]]
        return Answer(status=422, detail=f"{found[0].field}: {found[0].reason}", errors=found)
    answer = _store(store, registry, account_id, asked, now)
    if key is not None and answer.status == 200:
        keep_answer(store, account_id, key, digest, answer.model_dump_json(), now)
    return answer


def _store(store: Store, registry: Registry, account_id: str, asked: _Loose, now: datetime) -> Answer:
    errors, findings = _Errors(), Findings()
    prefix = f"{account_id}/"
    stations = stations_pushed(store, SOURCE, prefix) | _described(asked.stations, prefix, registry, errors)
    values = once(_values(asked.observations, stations, now, errors), findings, _PLACE)
    for fault in findings.faults:
        errors.add(fault.where, f"found {fault.found}; expected {fault.expected}")
    # Those of one hour that differ are named once, and refused all.
    errors.count += findings.counts["values_that_differ"] - len(findings.faults)
    lone = lone_winds(values)
    for number, variable in zip(values["line"][lone], values["quantity"][lone], strict=True):
        errors.add(
            f"{_ROWS}[{number}].variable", f"found {variable} alone; expected wind_speed and wind_direction of an hour"
        )
    values = values[~lone]
    if values.empty:
        named = errors.named or []
        detail = f"none of {len(asked.observations)} rows can be used; the first: {named[0].field}: {named[0].reason}"
        return Answer(status=422, detail=detail, errors=named)
    data = TableData(stations, values, findings)
    saved = save_readings(store, _PushSource(), batch_of(data), registry, now)
    log.info("%s pushed %d rows: %s; %d refused", account_id, len(asked.observations), saved, errors.count)
    outcome = Pushed(
        received=len(asked.observations),
        new=saved.new,
        revised=saved.revised,
        unchanged=saved.unchanged,
        refused=errors.count,
        errors=errors.named or [],
        repeated=False,
    )
    return Answer(status=200, outcome=outcome)


def _described(
    given: Sequence[JsonValue], prefix: str, registry: Registry, errors: _Errors
) -> dict[str, NetworkStation]:
    rules = load_station_cities(registry)
    stations = {}
    for number, item in enumerate(given):
        where = f"stations[{number}]"
        try:
            row = PushedStation.model_validate(item)
            texts = {name: str(value) for name, value in row.model_dump().items() if value is not None}
            code, station = station_of(texts, where, registry, rules, SOURCE)
            if station is None:
                raise InputError(
                    f"{where}.latitude", f"{row.latitude}, {row.longitude}", "a place near a forecast city"
                )
        except ValidationError as error:
            first = error.errors()[0]
            errors.add(_field(where, first["loc"]), first["msg"])
        except InputError as error:
            errors.add(error.where.replace(", ", "."), f"found {error.found}; expected {error.expected}")
        else:
            stations[code] = replace(station, code=prefix + code)
    return stations


def _values(
    rows: Sequence[JsonValue], stations: Mapping[str, NetworkStation], now: datetime, errors: _Errors
) -> pd.DataFrame:
    found = []
    for number, item in enumerate(rows):
        where = f"{_ROWS}[{number}]"
        try:
            row = PushedValue.model_validate(item)
            found.append(_checked(row, where, stations, now, number))
        except ValidationError as error:
            first = error.errors()[0]
            errors.add(_field(where, first["loc"]), first["msg"])
        except InputError as error:
            errors.add(error.where, f"found {error.found}; expected {error.expected}")
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"value": float})


def _checked(
    row: PushedValue, where: str, stations: Mapping[str, NetworkStation], now: datetime, number: int
) -> tuple[object, ...]:
    if row.station not in stations:
        raise InputError(f"{where}.station", row.station, "a station described in this request or an earlier one")
    time = row.time
    if time.tzinfo is None or time.minute or time.second or time.microsecond or not now - _OLDEST <= time <= now:
        raise InputError(
            f"{where}.time", time.isoformat(), "a whole hour with its offset, past and at most 31 days ago"
        )
    if row.variable not in MEANINGS:
        raise InputError(f"{where}.variable", row.variable, f"one of {', '.join(MEANINGS)}")
    try:
        within = conversion(row.variable, row.unit)
    except ValueError as error:
        raise InputError(f"{where}.unit", row.unit, str(error)) from error
    if row.value is None and row.variable not in POLLUTANTS:
        raise InputError(f"{where}.value", "null", "a number: only a value of a pollutant can be withdrawn")
    value = float("nan") if row.value is None else row.value
    if row.value is not None and not within.low <= value * within.factor + within.offset <= within.high:
        raise InputError(f"{where}.value", value, f"{within.low:g} to {within.high:g} in the contract's unit")
    hour = pd.Timestamp(to_datetime64(time))
    return row.station, hour, row.variable, value, unit_named(row.unit), _ROWS, number


def _field(where: str, path: Sequence[str | int]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return (where + "".join(parts)).lstrip(".")
