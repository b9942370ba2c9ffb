"""``/v1/studies``: what studies there are, what each takes, and its answer on the caller's tables or the stored observations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, get_args
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.services.accounts.keys import Identity
from hazecast.services.research.studies.asking import Observed, Study, Table, arguments_of, title_of
from hazecast.services.research.studies.registry import SERVED, study_named
from hazecast.services.research.studies.served import FieldsRefusedError, Form, body_of, run_study
from hazecast.services.web.access import require
from hazecast.services.web.dependencies import Given
from hazecast.services.web.drawn import draw
from hazecast.services.web.negotiate import MEDIA_TYPES, choose
from hazecast.services.web.problems import InvalidArgument, Refusal, RowsRefused
from hazecast.services.web.routes.common import (
    BUSY,
    DENIED,
    DOCUMENT_POLICY,
    INVALID,
    NOT_FOUND,
    TOO_LARGE,
    UNCHANGED,
    Responses,
    shows_simulated,
)
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.web.schemas.studies import StudyFormOut, StudyOut, StudyResultOut
from hazecast.services.web.study_examples import BODIES

Runner = Annotated[Identity, Depends(require("studies:run"))]
AsReport = Annotated[
    Form | None, Query(alias="format", description="JSON, or a report as HTML or PDF; before the header Accept.")
]
_FORMS: tuple[Form, ...] = get_args(Form)
_NOT_INSTALLED: Responses = {501: {"description": "A study or a report whose extra is not installed"}}
_ANSWERS: Responses = {
    200: {"model": StudyResultOut, "content": {MEDIA_TYPES[form]: {} for form in _FORMS}},
    406: {"description": "Not in the media types that are accepted"},
}


def study_body() -> dict[str, Any]:
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
    found = known_study(study)
    return StudyFormOut(**_told(study, found), body=body_of(found).model_json_schema(), example=BODIES.get(study))


@router.post(
    "/{study}",
    responses=_ANSWERS | DENIED | NOT_FOUND | INVALID | TOO_LARGE | BUSY | _NOT_INSTALLED,
    openapi_extra=study_body(),
)
async def run(service: Given, request: Request, study: str, _: Runner, form: AsReport = None) -> Response:
    """Answer a study: the values and tables that the command `hazecast study` gives for the same, or its report.

    Tables are the caller's own and are not kept. Studies of observations take the stored ones, of a period.
    It runs in a subprocess with a time limit; 503 where too many wait or it took too long: ask for a job then.
    """
    found, chosen, body = known_study(study), choose(request, form, _FORMS), await request.body()
    # Stored observations change; the same tables have the same answer.
    observed = takes_observations(found)
    version = uuid4().hex if observed else hashlib.sha256(body).hexdigest()
    simulated = observed and await run_in_threadpool(shows_simulated, service.store)
    key = ("study", study, version, chosen)
    with refused_by_field():
        made = await draw(request, service.studies, key, run_study, service.settings, study, body, simulated, chosen)
    return document(made, chosen, study)


def document(content: bytes, form: Form, name: str) -> Response:
    """Return the answer of a study, JSON or a report.

    Parameters
    ----------
    content : bytes
    form : {"json", "html", "pdf"}
    name : str
        Under which a report is saved, without its ending.

    Returns
    -------
    Response
    """
    headers = {"Vary": "Accept"}
    if form != "json":
        headers["Content-Disposition"] = f'inline; filename="{name}.{form}"'
    if form == "html":
        headers["Content-Security-Policy"] = DOCUMENT_POLICY
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)


@contextmanager
def refused_by_field() -> Iterator[None]:
    """Answer what a study says of its body as a problem, by field.

    Raises
    ------
    HTTPException
        422 by field; 501 where the study's extra is not installed.
    """
    try:
        yield
    except FieldsRefusedError as error:
        field, reason = error.errors[0]
        raise RowsRefused(f"{field}: {reason}", error.errors) from error
    except MissingExtraError as error:
        raise Refusal(error) from error
    except InputError as error:
        raise InvalidArgument(error.where, error.found, error.expected, "body") from error


def takes_observations(study: Study) -> bool:
    """Return whether a study takes stored observations."""
    return any(isinstance(one.told, Observed) for one in arguments_of(study))


def known_study(name: str) -> Study:
    """Return a study.

    Raises
    ------
    HTTPException
        404 if there is none of that name.
    """
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
        "stored_observations": takes_observations(study),
    }
