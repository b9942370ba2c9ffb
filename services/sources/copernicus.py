"""Jobs at the data stores of Copernicus (the Climate and the Atmosphere Data Store), through their client."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from hazecast.grids.extras import requires
from hazecast.services.sources.errors import FetchError
from hazecast.services.sources.http import HttpClient, Patience

_UNKNOWN, _FORBIDDEN = 401, 403


def result_of(http: HttpClient, url: str, key: str, dataset: str, request: Mapping[str, object]) -> str:
    """Run a job at a store and return the address of its result; the job is queued there, often for long.

    Parameters
    ----------
    http : HttpClient
        Gives the time-outs; its longest wait is also the polling interval. It redacts the key.
    url : str
        The store's interface.
    key : str
        Personal access token of a registered user who has accepted the dataset's licence.
    dataset : str
    request : mapping
        What to retrieve.

    Returns
    -------
    str

    Raises
    ------
    FetchError
        If the store can't be reached, refuses or fails the job, or has not ended it in time.
    InputError
        If the extra "archive" is not installed.
    """
    cdsapi, requests = requires("cdsapi", "archive"), requires("requests", "archive")
    waits = http.patience
    try:
        # A session of its own: the client never closes the one it would open.
        with requests.Session() as session:
            client = cdsapi.Client(
                url=url,
                key=key,
                verify=True,
                quiet=True,
                progress=False,
                delete=False,
                timeout=waits.read_seconds,
                retry_max=waits.attempts,
                sleep_max=waits.wait_max,
                session=session,
                wait_until_complete=False,
            )
            return _finished(client.retrieve(dataset, dict(request)), waits)
    except Exception as error:
        # On odd answers the client raises nearly any exception.
        status = getattr(getattr(error, "response", None), "status_code", None)
        found = " ".join(http.redacted(error).split())
        if isinstance(error, ValueError) or not isinstance(
            error, requests.RequestException | RuntimeError | TimeoutError
        ):
            found = f"an answer of another form ({type(error).__name__}{': ' if found else ''}{found})"
        elif not isinstance(error, requests.HTTPError):
            found = f"{type(error).__name__}: {found}"
        expected = "a job that ends with a file"
        if status == _UNKNOWN:
            expected = "an access token that the store knows"
        elif status == _FORBIDDEN:
            page = f"{url.removesuffix('/api')}/datasets/{dataset}?tab=download#manage-licences"
            expected = f"a token of a user who has accepted the licences at {page}"
        raise FetchError(url, found, expected, status=status) from error


def _finished(job: Any, waits: Patience) -> str:
    """Return the address of a job's result; the client itself would wait without end."""
    end, pause = time.monotonic() + waits.job_seconds, min(1.0, waits.wait_max)
    while not job.results_ready:
        if time.monotonic() >= end:
            raise TimeoutError(f"not ended after {waits.job_seconds:g} s, the longest that a job is waited for")
        time.sleep(pause)
        pause = min(1.5 * pause, waits.wait_max)
    return str(job.get_results().location)
