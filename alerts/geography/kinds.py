"""What the area of a city's warnings is, as a type: light, also for the client."""

from __future__ import annotations

from typing import Literal

# A whole municipality, what lies around the centre, or what the bureau gives.
AreaKind = Literal["municipality", "around", "own"]
