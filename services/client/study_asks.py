"""What the API answers about studies to an account with its key, as requests."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Literal
from uuid import uuid4

from hazecast.services.client.ask import Ask, Query, file, model, segment
from hazecast.services.web.schemas.items import ItemsOut
from hazecast.services.web.schemas.studies import StudyJobOut, StudyResultOut

Body = Mapping[str, Any]
ReportForm = Literal["html", "pdf"]
_ENDED = ("done", "failed", "cancelled")
# Between two looks at a job: short at first, for many studies take seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
_MEDIA = {"html": "text/html", "pdf": "application/pdf"}


class StudyFailedError(Exception):
    """A study that was asked for as a job did not end well.

    Attributes
    ----------
    job : StudyJobOut
        Its `state`, `error` and `errors` say why.
    """

    def __init__(self, job: StudyJobOut) -> None:
        super().__init__(f"{job.study} ({job.id}) {job.state}{f': {job.error}' if job.error else ''}")
        self.job = job


class Waiting:
    """The pauses between two looks at a job.

    Parameters
    ----------
    seconds : float or None
        Longest wait; without end where None.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    def pause(self, job: StudyJobOut) -> float | None:
        """Return how long to wait until the next look, in s.

        Parameters
        ----------
        job : StudyJobOut
            As it is now.

        Returns
        -------
        float or None
            None where it is done.

        Raises
        ------
        StudyFailedError
            If it failed or was cancelled.
        TimeoutError
            If the longest wait is over and it has not ended.
        """
        if job.state in _ENDED:
            if job.state != "done":
                raise StudyFailedError(job)
            return None
        left = self._pause if self._end is None else self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{job.study} ({job.id}) is {job.state} after {self._seconds:g} s")
        pause = min(self._pause, left)
        self._pause = min(1.5 * self._pause, _LONGEST_PAUSE)
        return pause


def run_study(name: str, body: Body) -> Ask[StudyResultOut]:
    """A study of the caller's own tables, or of the stored observations.

    Parameters
    ----------
    name : str
    body : mapping

    Returns
    -------
    Ask[StudyResultOut]
    """
    return model(StudyResultOut, f"/v1/studies/{segment(name)}", method="POST", body=json.dumps(body).encode())


def study_report(name: str, body: Body, form: ReportForm) -> Ask[bytes]:
    """The report of a study.

    Parameters
    ----------
    name : str
    body : mapping
    form : {"html", "pdf"}

    Returns
    -------
    Ask[bytes]
    """
    return Ask(
        f"/v1/studies/{segment(name)}", bytes, accept=_MEDIA[form], method="POST", body=json.dumps(body).encode()
    )


def submit_study(name: str, body: Body, idempotency_key: str | None) -> Ask[StudyJobOut]:
    """A study as a job.

    Parameters
    ----------
    name : str
    body : mapping
    idempotency_key : str or None
        By default one of its own, so that the request may be repeated.

    Returns
    -------
    Ask[StudyJobOut]
    """
    return model(
        StudyJobOut,
        f"/v1/studies/{segment(name)}/jobs",
        method="POST",
        body=json.dumps(body).encode(),
        idempotency_key=idempotency_key or uuid4().hex,
    )


def study_jobs(query: Query) -> Ask[ItemsOut[StudyJobOut]]:
    """The account's jobs."""
    return model(ItemsOut[StudyJobOut], "/v1/study-jobs", query)


def study_job(job_id: str) -> Ask[StudyJobOut]:
    """One of them."""
    return model(StudyJobOut, _job(job_id))


def cancel_study(job_id: str) -> Ask[None]:
    """End one, or remove its results."""
    return Ask(_job(job_id), lambda _: None, method="DELETE")


def study_job_result(job_id: str) -> Ask[StudyResultOut]:
    """What one found."""
    return model(StudyResultOut, _job(job_id, "/result"))


def study_job_report(job_id: str, form: ReportForm) -> Ask[bytes]:
    """The report of one.

    Parameters
    ----------
    job_id : str
    form : {"html", "pdf"}

    Returns
    -------
    Ask[bytes]
    """
    return file(_job(job_id, f"/report.{segment(form)}"))


def study_job_tables(job_id: str) -> Ask[bytes]:
    """The tables of one, as a ZIP file."""
    return file(_job(job_id, "/tables.zip"))


def _job(job_id: str, what: str = "") -> str:
    return f"/v1/study-jobs/{segment(job_id)}{what}"
