"""``/v1/study-jobs``: studies that take minutes, asked for now and read later, by the account that asked alone."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from hazecast.grids.errors import ConflictError
from hazecast.services.accounts.keys import Identity
from hazecast.services.research.studies.job import REPORTS, RESULT, TABLES
from hazecast.services.research.studies.served import digest_of_checked
from hazecast.services.store.study_jobs import (
    Asked,
    Job,
    ahead_of,
    cancel,
    file_of,
    job_of,
    jobs_of,
    results_until,
    submit,
)
from hazecast.services.store.study_places import Places, TooManyJobsError
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.drawn import draw
from hazecast.services.web.negotiate import MEDIA_TYPES
from hazecast.services.web.pages import Cursor, Limit, cut, from_cursor, link_next
from hazecast.services.web.problems import RowsRefused
from hazecast.services.web.routes.common import (
    BUSY,
    CONFLICT,
    DENIED,
    INVALID,
    NOT_FOUND,
    TOO_LARGE,
    Responses,
    idempotency_key,
    shows_simulated,
)
from hazecast.services.web.routes.study_runs import (
    Runner,
    document,
    known_study,
    refused_by_field,
    study_body,
    takes_observations,
)
from hazecast.services.web.schemas.forecasts import InvalidOut
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.web.schemas.studies import StudyJobOut, StudyResultOut, StudyResultsOut

log = logging.getLogger(__name__)

JobId = Annotated[str, Path(max_length=64, examples=["job_5f0c3a9e1b7d42c68a90e1f2"])]
Repeatable = Annotated[str | None, idempotency_key("as long as the service knows the job")]
_ACCEPTED: Responses = {202: {"headers": {"Location": {"schema": {"type": "string"}, "description": "Of the job."}}}}
_RESULT = DENIED | NOT_FOUND | CONFLICT | INVALID
_ZIP = "application/zip"
_REPORT: Responses = {
    200: {"content": {MEDIA_TYPES[form]: {} for form in REPORTS}},
    501: {"description": "PDF, where its extra is not installed"},
}
_TABLES: Responses = {200: {"content": {_ZIP: {}}}}
# When to look again at a job that waits or runs, s.
_AGAIN = 5

_ALIKE = ("id", "study", "state", "progress", "simulated", "created_at", "started_at", "finished_at", "error")

router = APIRouter(tags=["studies"])


@router.post(
    "/studies/{study}/jobs",
    status_code=202,
    responses=_ACCEPTED | DENIED | NOT_FOUND | INVALID | TOO_LARGE | BUSY,
    openapi_extra=study_body(),
)
async def ask(
    service: Given, request: Request, response: Response, study: str, who: Runner, idempotency_key: Repeatable = None
) -> StudyJobOut:
    """Ask for a study that may take minutes; its state and its results are read at the address in `Location`.

    The body is that of `POST /v1/studies/{study}`. 429 where too many wait, of all or of the account.
    """
    found, body = known_study(study), await request.body()
    with refused_by_field():
        digest = await draw(request, service.pool, ("study body", uuid4().hex), digest_of_checked, study, body)
    simulated = takes_observations(found) and await run_in_threadpool(shows_simulated, service.store)
    asked = Asked(who.account_id, who.key_id, study, body, digest.decode(), simulated, idempotency_key)
    limits = service.settings.limits
    places = Places(limits.study_jobs_open, limits.study_jobs_account, limits.study_jobs_kept, limits.study_jobs)
    try:
        job, new = await run_in_threadpool(submit, service.store, asked, places, service.clock())
    except TooManyJobsError as full:
        raise HTTPException(429, str(full), {"Retry-After": str(full.seconds)}) from full
    except ConflictError as error:
        reason = f"found {error.found}; expected {error.expected}"
        raise RowsRefused(f"{error.where}: {reason}", [(error.where, reason)]) from error
    if new:
        log.info("%s: study %s asked for by %s with key %s", job.id, study, who.account_id, who.key_id)
        service.study_runner.wake()
    response.headers["Location"] = f"/v1/study-jobs/{job.id}"
    return await run_in_threadpool(_out, service, job)


@router.get("/study-jobs", responses=DENIED | INVALID)
def jobs(
    service: Given, request: Request, response: Response, who: Runner, limit: Limit = 50, cursor: Cursor = None
) -> ItemsOut[StudyJobOut]:
    """The account's studies that were asked for as jobs, the newest first."""
    keys = from_cursor(cursor, datetime, str)
    found = jobs_of(service.store, who.account_id, limit + 1, None if keys is None else (keys[0], keys[1]))
    page, after = cut(found, limit, lambda job: (job.created_at, job.id))
    link_next(response, request, after)
    return ItemsOut(items=[_out(service, job) for job in page], next=after)


@router.get("/study-jobs/{job_id}", responses=DENIED | NOT_FOUND | INVALID)
def job(service: Given, response: Response, job_id: JobId, who: Runner) -> StudyJobOut:
    """What a job is at, and where its results are; `Retry-After` says when to look again."""
    found = _known(service, who, job_id)
    if found.finished_at is None:
        response.headers["Retry-After"] = str(_AGAIN)
    return _out(service, found)


@router.delete("/study-jobs/{job_id}", status_code=204, responses=DENIED | NOT_FOUND | INVALID)
def end(service: Given, job_id: JobId, who: Runner) -> None:
    """Cancel a job that waits or runs; remove the results of one that has ended."""
    _known(service, who, job_id)
    cancelled = cancel(service.store, job_id, who.key_id, service.clock())
    done = "cancelled" if cancelled else "its results removed"
    log.info("%s: %s by %s with key %s", job_id, done, who.account_id, who.key_id)


@router.get("/study-jobs/{job_id}/result", response_model=StudyResultOut, responses=_RESULT)
def result(service: Given, job_id: JobId, who: Runner) -> Response:
    """What a job found, as the study itself answers; 409 before it is done."""
    return document(_file(service, who, job_id, RESULT), "json", job_id)


@router.get("/study-jobs/{job_id}/report.{form}", response_class=Response, responses=_REPORT | _RESULT)
def report(service: Given, job_id: JobId, form: Literal["html", "pdf"], who: Runner) -> Response:
    """The report of a job; 409 before it is done."""
    return document(_file(service, who, job_id, REPORTS[form]), form, job_id)


@router.get("/study-jobs/{job_id}/tables.zip", response_class=Response, responses=_TABLES | _RESULT)
def tables(service: Given, job_id: JobId, who: Runner) -> Response:
    """The tables of a job as CSV and its figures as PNG, in one ZIP file; 409 before it is done."""
    content = _file(service, who, job_id, TABLES)
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.zip"'}
    return Response(content, media_type=_ZIP, headers=headers)


def _known(service: Service, who: Identity, job_id: str) -> Job:
    found = job_of(service.store, who.account_id, job_id)
    if found is None:
        raise HTTPException(404, f"job: found {job_id}; expected the id of a job of the account")
    return found


def _file(service: Service, who: Identity, job_id: str, name: str) -> bytes:
    found = _known(service, who, job_id)
    if found.state != "done":
        raise HTTPException(409, f"job {job_id} is {found.state}{f': {found.error}' if found.error else ''}")
    content = file_of(service.store, job_id, name)
    if content is None and found.has_results:
        raise HTTPException(501, f"{name} was not made: the service runs without the extra pdf")
    if content is None:
        raise HTTPException(404, f"the results of job {job_id} were removed")
    return content


def _out(service: Service, job: Job) -> StudyJobOut:
    kept = timedelta(days=service.settings.retention.study_days)
    address = f"/v1/study-jobs/{job.id}"
    results = StudyResultsOut(
        result=f"{address}/result",
        report_html=f"{address}/report.html",
        report_pdf=f"{address}/report.pdf",
        tables=f"{address}/tables.zip",
    )
    return StudyJobOut(
        **{name: getattr(job, name) for name in _ALIKE},
        ahead=ahead_of(service.store, job) if job.state == "queued" else None,
        errors=[InvalidOut.model_validate({"in": "body"} | one) for one in job.errors or ()],
        results_until=results_until(job, kept),
        results=results if job.has_results else None,
    )
