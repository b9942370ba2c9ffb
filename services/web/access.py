"""Who may do what through the API: the scopes that routes require."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers

from hazecast.services.accounts.keys import Identity
from hazecast.services.accounts.scopes import Scope
from hazecast.services.web.problems import problem

_CHALLENGE = 'Bearer realm="hazecast"'
_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key: `Authorization: Bearer hz_...`")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="key", description="An API key.")


def token_of(headers: Headers) -> str | None:
    """Return the API key that a request carries, in ``Authorization: Bearer`` or ``X-API-Key``."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")


def invalid_key(reason: str) -> JSONResponse:
    """Return the answer to an invalid key: 401 with a challenge (RFC 6750, 3.1)."""
    return problem(401, reason, headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'})


def identify(request: Request) -> Identity | None:
    """Return who sent a request, as `edge.key_check.KeyCheck` found; None where it carries no key."""
    identity: Identity | None = getattr(request.state, "identity", None)
    return identity


@cache
def require(scope: Scope) -> Callable[..., Identity]:
    """Return the dependency that admits only keys with `scope`, and gives their `Identity`.

    ``Annotated[Identity, Depends(require("drafts:read"))]``; without a key it answers 401, without the scope 403
    (RFC 9110, 15.5.2 and 15.5.4; challenges by RFC 6750, 3). The answer is marked private: no cache may store it.
    """

    def allowed(
        request: Request,
        identity: Annotated[Identity | None, Depends(identify)],
        _bearer: Annotated[object, Depends(_BEARER)],
        _header: Annotated[object, Depends(_HEADER)],
    ) -> Identity:
        request.state.private = True
        if identity is None:
            raise HTTPException(
                401, "an API key is needed: Authorization: Bearer hz_...", {"WWW-Authenticate": _CHALLENGE}
            )
        if scope not in identity.scopes:
            challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
            raise HTTPException(
                403, f"the key {identity.key_id} lacks the scope {scope}", {"WWW-Authenticate": challenge}
            )
        return identity

    return allowed
