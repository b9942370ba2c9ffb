"""What `AsyncClient` asks of studies with an account's key: answers at once, and jobs that take minutes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Unpack

import anyio

from hazecast.services.client import study_asks as asks
from hazecast.services.client.awaiting import AsyncConnection
from hazecast.services.client.queries import PageQuery
from hazecast.services.client.study_asks import ReportForm
from hazecast.services.web.schemas.studies import StudyJobOut, StudyResultOut


class AsyncStudies(AsyncConnection):
    """Studies."""

    async def run_study(self, name: str, body: Mapping[str, Any]) -> StudyResultOut:
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
        return await self._send(asks.run_study(name, body))

    async def study_report(self, name: str, body: Mapping[str, Any], form: ReportForm = "pdf") -> bytes:
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
        return await self._send(asks.study_report(name, body, form))

    async def submit_study(
        self, name: str, body: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> StudyJobOut:
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
        return await self._send(asks.submit_study(name, body, idempotency_key))

    async def wait_for_study(self, job_id: str, *, seconds: float | None = None) -> StudyJobOut:
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
        while (pause := waiting.pause(job := await self.study_job(job_id))) is not None:
            await anyio.sleep(pause)
        return job

    async def study_jobs(self, **query: Unpack[PageQuery]) -> AsyncIterator[StudyJobOut]:
        """Yield the account's jobs, newest first, page by page."""
        async for page in self._pages(asks.study_jobs(query)):
            for item in page.items:
                yield item

    async def study_job(self, job_id: str) -> StudyJobOut:
        """Return what a job is at."""
        return await self._send(asks.study_job(job_id))

    async def cancel_study(self, job_id: str) -> None:
        """Cancel a job that waits or runs; remove the results of one that has ended."""
        await self._send(asks.cancel_study(job_id))

    async def study_job_result(self, job_id: str) -> StudyResultOut:
        """Return what a job found."""
        return await self._send(asks.study_job_result(job_id))

    async def study_job_report(self, job_id: str, form: ReportForm = "pdf") -> bytes:
        """Return the report of a job.

        Parameters
        ----------
        job_id : str
        form : {"html", "pdf"}

        Returns
        -------
        bytes
        """
        return await self._send(asks.study_job_report(job_id, form))

    async def study_job_tables(self, job_id: str) -> bytes:
        """Return the tables of a job as CSV and its figures as PNG, a ZIP file."""
        return await self._send(asks.study_job_tables(job_id))
