"""Studies as jobs by both clients: asked for again after a failure that passes, waited for, and told why they failed."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from hazecast.services.client import AsyncClient, Client, StudyFailedError
from hazecast.services.client import study_asks as asks

JOB: dict[str, Any] = {
    "id": "job_1", "study": "sources", "state": "queued", "ahead": 0, "progress": None, "simulated": False,
    "created_at": "2026-01-15T09:00:00Z", "started_at": None, "finished_at": None, "error": None, "errors": [],
    "results_until": None, "results": None,
}  # fmt: skip


class Service:
    """Refuses once, then queues; a job ends at the third look."""

    def __init__(self, end: str) -> None:
        self.end, self.looks, self.keys = end, 0, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.keys.append(request.headers["idempotency-key"])
            if len(self.keys) == 1:
                return httpx.Response(503, headers={"Retry-After": "0"})
            return httpx.Response(202, json=JOB)
        self.looks += 1
        if request.url.path.endswith("/result"):
            return httpx.Response(200, json={"study": "sources", "summary": {"factors": 4}, "tables": {}})
        return httpx.Response(200, json=JOB | ({"state": self.end, "error": "no"} if self.looks >= 3 else {}))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch) -> None:
    monkeypatch.setattr(asks, "_FIRST_PAUSE", 0.01)


def test_a_job_is_asked_for_with_one_key_and_waited_for() -> None:
    service = Service("done")
    with Client("http://haze.example", transport=httpx.MockTransport(service)) as client:
        job = client.submit_study("sources", {})
        assert client.wait_for_study(job.id).state == "done"
        assert client.study_job_result(job.id).summary["factors"] == 4
    assert len(service.keys) == 2 and len(set(service.keys)) == 1


def test_it_is_told_why_it_failed_and_a_wait_has_an_end() -> None:
    with Client("http://haze.example", transport=httpx.MockTransport(Service("failed"))) as client:
        with pytest.raises(TimeoutError, match="queued"):
            client.wait_for_study("job_1", seconds=0.0)
        with pytest.raises(StudyFailedError, match="failed: no") as failed:
            client.wait_for_study("job_1")
    assert failed.value.job.error == "no"


def test_the_awaited_client_waits_alike() -> None:
    async def ask() -> str:
        transport = httpx.MockTransport(Service("done"))
        async with AsyncClient("http://haze.example", transport=transport) as client:
            job = await client.submit_study("sources", {}, idempotency_key="own")
            return (await client.wait_for_study(job.id, seconds=5)).state

    assert anyio.run(ask) == "done"
