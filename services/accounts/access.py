"""Who may do what through the API: the scopes that routes require."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers

from services.accounts.keys import Identity, RefusedError, check_key
from services.accounts.scopes import Scope

_CHALLENGE = 'Bearer realm="hazecast"'
_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key: `Authorization: Bearer hz_...`")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="key", description="An API key.")


def token_of(headers: Headers) -> str | None:
    """Return the API key that a request bears, in ``Authorization: Bearer`` or ``X-API-Key``."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")


def identify(request: Request) -> Identity | None:
    """Return who sent a request; None where it bears no key, 401 where the key opens nothing."""
    token = token_of(request.headers)
    if token is None:
        return None
    try:
        return check_key(request.app.state.sessions, token, datetime.now(UTC))
    except RefusedError as error:
        raise HTTPException(401, str(error), {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'}) from error


@cache
def require(scope: Scope) -> Callable[..., Identity]:
    """Return the dependency that lets only keys of `scope` in, and says whose they are.

    ``Annotated[Identity, Depends(require("drafts:read"))]``; without a key it answers 401, without the scope 403
    (RFC 9110, 15.5.2 and 15.5.4; challenges by RFC 6750, 3).
    """

    def allowed(
        identity: Annotated[Identity | None, Depends(identify)],
        _bearer: Annotated[object, Depends(_BEARER)],
        _header: Annotated[object, Depends(_HEADER)],
    ) -> Identity:
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
