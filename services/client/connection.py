"""What both clients share: which answers are kept, which failures pass, and how an answer is judged."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import httpx

from hazecast.services.client.ask import Ask
from hazecast.services.client.errors import PASSING, NoAnswerError, error_of

# Answers that are kept with their ETag.
_REMEMBERED = 64


class Passing(Exception):  # noqa: N818 a state, not a fault
    """An answer of a status that may be another at the next attempt."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


class Memory:
    """Answers by address, kept with their ETag: the server sends one again only after it changed."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()

    def headers(self, request: httpx.Request) -> dict[str, str]:
        """Return what a request says of the answer that is known."""
        known = self._known.get(_key(request))
        return {} if known is None else {"If-None-Match": known[0]}

    def content(self, request: httpx.Request, answer: httpx.Response) -> bytes:
        """Return an answer's content, from memory where it is unchanged.

        Parameters
        ----------
        request : httpx.Request
        answer : httpx.Response

        Returns
        -------
        bytes

        Raises
        ------
        ServerError
            If the answer is an error.
        """
        key = _key(request)
        if answer.status_code == 304 and key in self._known:
            self._known.move_to_end(key)
            return self._known[key][1]
        if not 200 <= answer.status_code < 300:
            raise error_of(str(request.url), answer)
        if "etag" in answer.headers and request.method == "GET":
            self._known[key] = (answer.headers["etag"], answer.content)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return answer.content


def _key(request: httpx.Request) -> tuple[str, str]:
    return str(request.url), request.headers["accept"]


def headers_of(key: str | None) -> dict[str, str]:
    """Return the headers of all requests of a client with an API key, or without one."""
    return {"User-Agent": "hazecast-client"} | ({"Authorization": f"Bearer {key}"} if key else {})


def request_of(http: httpx.Client | httpx.AsyncClient, ask: Ask[Any], memory: Memory, **more: Any) -> httpx.Request:
    """Return the request that asks for something.

    Parameters
    ----------
    http : httpx.Client or httpx.AsyncClient
        Names the server.
    ask : Ask
    memory : Memory
    **more : str, int, float, bool, datetime.datetime or list of str
        Further arguments of the query.

    Returns
    -------
    httpx.Request
    """
    headers = {"Accept": ask.accept} | ({"Content-Type": "application/json"} if ask.body is not None else {})
    headers |= {"Idempotency-Key": ask.idempotency_key} if ask.idempotency_key else {}
    request = http.build_request(ask.method, ask.path, params=ask.parameters(**more), headers=headers, content=ask.body)
    request.headers.update(memory.headers(request) if ask.method == "GET" else {})
    return request


def checked(answer: httpx.Response) -> httpx.Response:
    """Return an answer that is final.

    Raises
    ------
    Passing
        If the same request may have another answer soon.
    """
    if answer.status_code in PASSING:
        raise Passing(answer)
    return answer


def attempts_of(ask: Ask[Any], attempts: int) -> int:
    """Return how often something is asked for at most: what changes the server's state only once.

    Parameters
    ----------
    ask : Ask
    attempts : int

    Returns
    -------
    int
    """
    return attempts if ask.method == "GET" or ask.idempotency_key else 1


def pause(error: Exception) -> bool | float:
    """Return whether to try again, or after how many seconds."""
    if not isinstance(error, Passing):
        return isinstance(error, httpx.TransportError)
    wait = error.answer.headers.get("retry-after", "")
    return min(float(wait), 60.0) if wait.isdigit() else True


def no_answer(request: httpx.Request, error: httpx.HTTPError) -> NoAnswerError:
    """Return the error of a request that nothing answered.

    Parameters
    ----------
    request : httpx.Request
    error : httpx.HTTPError

    Returns
    -------
    NoAnswerError
    """
    return NoAnswerError(str(request.url), f"no answer: {error or type(error).__name__}")
