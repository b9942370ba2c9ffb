"""``/v1/studies``: what studies there are, what each takes, and its answer on the caller's tables or the stored observations."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.services.accounts.keys import Identity
from hazecast.services.research.studies.asking import Observed, Study, Table, arguments_of, title_of
from hazecast.services.research.studies.registry import SERVED, study_named
from hazecast.services.research.studies.served import FieldsRefusedError, body_of, run_study
from hazecast.services.web.access import require
from hazecast.services.web.dependencies import Given
from hazecast.services.web.drawn import draw
from hazecast.services.web.problems import InvalidArgument, Refusal, RowsRefused
from hazecast.services.web.routes.common import BUSY, DENIED, INVALID, NOT_FOUND, TOO_LARGE, UNCHANGED, shows_simulated
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.web.schemas.studies import StudyFormOut, StudyOut, StudyResultOut
from hazecast.services.web.study_examples import BODIES

Runner = Annotated[Identity, Depends(require("studies:run"))]
_NOT_INSTALLED: dict[int | str, dict[str, Any]] = {501: {"description": "A study whose extra is not installed"}}


def _body() -> dict[str, Any]:
    """Describe the body, which a subprocess reads; what each study takes is told by the route before."""
    examples = {name: {"summary": title_of(SERVED[name]), "value": body} for name, body in BODIES.items()}
    schema = {"type": "object", "description": "As GET /v1/studies/{study} describes it."}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}
    }


router = APIRouter(prefix="/studies", tags=["studies"])


@router.get("", responses=UNCHANGED)
def studies() -> ItemsOut[StudyOut]:
    """The studies that can be asked for, and what each needs."""
    return ItemsOut(items=[StudyOut(**_told(name, study)) for name, study in SERVED.items()])


@router.get("/{study}", responses=NOT_FOUND | UNCHANGED)
def study_form(study: str) -> StudyFormOut:
    """What a study takes: the JSON Schema of the body to send, and an example where there is a short one."""
    found = _known(study)
    return StudyFormOut(**_told(study, found), body=body_of(found).model_json_schema(), example=BODIES.get(study))


@router.post(
    "/{study}",
    response_model=StudyResultOut,
    responses=DENIED | NOT_FOUND | INVALID | TOO_LARGE | BUSY | _NOT_INSTALLED,
    openapi_extra=_body(),
)
async def run(service: Given, request: Request, study: str, _: Runner) -> Response:
    """Answer a study: the values and tables that the command `hazecast study` gives for the same.

    Tables are the caller's own and are not kept. Studies of observations take the stored ones, of a period.
    It runs in a subprocess with a time limit; 503 where too many wait or it took too long.
    """
    found, body = _known(study), await request.body()
    # Stored observations change; the same tables have the same answer.
    observed = any(isinstance(one.told, Observed) for one in arguments_of(found))
    version = uuid4().hex if observed else hashlib.sha256(body).hexdigest()
    simulated = observed and await run_in_threadpool(shows_simulated, service.store)
    key = ("study", study, version)
    try:
        made = await draw(request, service.studies, key, run_study, service.settings, study, body, simulated)
    except FieldsRefusedError as error:
        field, reason = error.errors[0]
        raise RowsRefused(f"{field}: {reason}", error.errors) from error
    except MissingExtraError as error:
        raise Refusal(error) from error
    except InputError as error:
        raise InvalidArgument(error.where, error.found, error.expected, "body") from error
    return Response(made, media_type="application/json")


def _known(name: str) -> Study:
    try:
        return study_named(name)
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def _told(name: str, study: Study) -> dict[str, Any]:
    told = list(arguments_of(study))
    return {
        "name": name,
        "description": title_of(study),
        "tables": [one.shown for one in told if isinstance(one.told, Table)],
        "stored_observations": any(isinstance(one.told, Observed) for one in told),
    }
