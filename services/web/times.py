"""Times in requests and answers: ISO 8601 with an offset.

`Time` and `InitTime` are parameters that hold a time; a route that declares `Within` receives ``from`` and ``to`` as a
`Period` whose ends are in order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AwareDatetime, Field

from hazecast.grids.times import format_time
from hazecast.services.web.problems import InvalidArgument

# Wide enough for any archive, and far enough from the ends of the calendar that arithmetic on it can't overflow.
Time = Annotated[AwareDatetime, Field(ge=datetime(1900, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]
InitTime = Annotated[
    Time, Path(description="Init time of the run, ISO 8601 with offset.", examples=["2013-01-11T22:00:00Z"])
]


class Period:
    """From when to when, both included; open where not given."""

    def __init__(
        self,
        start: Annotated[
            Time | None, Query(alias="from", description="Not before this time, ISO 8601 with offset.")
        ] = None,
        end: Annotated[Time | None, Query(alias="to", description="Not after this time.")] = None,
    ) -> None:
        if start is not None and end is not None and start > end:
            raise InvalidArgument("from", format_time(start), f"a time not after `to`, {format_time(end)}")
        self.start: datetime | None = start
        self.end: datetime | None = end

    def holds(self, time: datetime) -> bool:
        """Whether a time lies within."""
        return (self.start is None or self.start <= time) and (self.end is None or time <= self.end)


Within = Annotated[Period, Depends()]
