"""What the types of problems mean."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, HTTPException

from hazecast.services.web.problems import KINDS
from hazecast.services.web.routes.common import NOT_FOUND, UNCHANGED
from hazecast.services.web.schemas.forecasts import ProblemTypeOut

router = APIRouter(tags=["service"])


@router.get("/problems/{name}", responses=NOT_FOUND | UNCHANGED)
def problem_type(name: str) -> ProblemTypeOut:
    """What a type of problem means, and what to do about it."""
    found = next(((status, *kind) for status, kind in KINDS.items() if kind[0] == name), None)
    if found is None:
        raise HTTPException(404, f"name: found {name}; expected one of {', '.join(k for k, _ in KINDS.values())}")
    status, kind, advice = found
    return ProblemTypeOut(name=kind, status=status, title=HTTPStatus(status).phrase, advice=advice)
