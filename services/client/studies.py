"""What `Client` asks of studies with an account's key: answers at once, and jobs that take minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Unpack

from hazecast.services.client import study_asks as asks
from hazecast.services.client.queries import PageQuery
from hazecast.services.client.study_asks import ReportForm
from hazecast.services.client.waiting import Connection
from hazecast.services.web.schemas.studies import StudyJobOut, StudyResultOut


class Studies(Connection):
    """Studies."""

    def run_study(self, name: str, body: Mapping[str, Any]) -> StudyResultOut:
        """Return what a study finds, of tables of one's own or of the stored observations.

        Parameters
        ----------
        name : str
        body : mapping
            As `study` describes it.

        Returns
        -------
        StudyResultOut
        """
        return self._send(asks.run_study(name, body))

    def study_report(self, name: str, body: Mapping[str, Any], form: ReportForm = "pdf") -> bytes:
        """Return the report of a study.

        Parameters
        ----------
        name : str
        body : mapping
            As `study` describes it.
        form : {"html", "pdf"}

        Returns
        -------
        bytes
        """
        return self._send(asks.study_report(name, body, form))

    def submit_study(self, name: str, body: Mapping[str, Any], *, idempotency_key: str | None = None) -> StudyJobOut:
        """Ask for a study that may take minutes, as a job; see `wait_for_study`.

        Parameters
        ----------
        name : str
        body : mapping
            As `study` describes it.
        idempotency_key : str, optional
            The same request with the same key is the same job, whoever repeats it.

        Returns
        -------
        StudyJobOut
        """
        return self._send(asks.submit_study(name, body, idempotency_key))

    def wait_for_study(self, job_id: str, *, seconds: float | None = None) -> StudyJobOut:
        """Return a job once it is done.

        Parameters
        ----------
        job_id : str
        seconds : float, optional
            Longest wait; by default without end.

        Returns
        -------
        StudyJobOut

        Raises
        ------
        StudyFailedError
            If it failed or was cancelled.
        TimeoutError
            If it had not ended by then; it goes on.
        """
        waiting = asks.Waiting(seconds)
        while (pause := waiting.pause(job := self.study_job(job_id))) is not None:
            time.sleep(pause)
        return job

    def study_jobs(self, **query: Unpack[PageQuery]) -> Iterator[StudyJobOut]:
        """Yield the account's jobs, newest first, page by page."""
        for page in self._pages(asks.study_jobs(query)):
            yield from page.items

    def study_job(self, job_id: str) -> StudyJobOut:
        """Return what a job is at."""
        return self._send(asks.study_job(job_id))

    def cancel_study(self, job_id: str) -> None:
        """Cancel a job that waits or runs; remove the results of one that has ended."""
        self._send(asks.cancel_study(job_id))

    def study_job_result(self, job_id: str) -> StudyResultOut:
        """Return what a job found."""
        return self._send(asks.study_job_result(job_id))

    def study_job_report(self, job_id: str, form: ReportForm = "pdf") -> bytes:
        """Return the report of a job.

        Parameters
        ----------
        job_id : str
        form : {"html", "pdf"}

        Returns
        -------
        bytes
        """
        return self._send(asks.study_job_report(job_id, form))

    def study_job_tables(self, job_id: str) -> bytes:
        """Return the tables of a job as CSV and its figures as PNG, a ZIP file."""
        return self._send(asks.study_job_tables(job_id))
