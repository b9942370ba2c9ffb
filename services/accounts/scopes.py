"""Roles, and the scopes that each may hold."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["public", "subscriber", "forecaster", "administrator"]
Scope = Literal[
    "account:read",
    "account:keys",
    "studies:run",
    "subscriptions:read",
    "subscriptions:write",
    "deliveries:read",
    "deliveries:replay",
    "observations:write",
    "jobs:read",
    "drafts:read",
    "drafts:decide",
    "cities:admin",
    "accounts:admin",
]

ROLES: tuple[Role, ...] = get_args(Role)
SCOPES: tuple[Scope, ...] = get_args(Scope)
# Each role may do what the one before it may. Reading forecasts and warnings takes no key at all.
_LAST: dict[Role, Scope] = {
    "public": "account:keys",
    "subscriber": "deliveries:replay",
    "forecaster": "drafts:decide",
    "administrator": "accounts:admin",
}
ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    role: frozenset(SCOPES[: SCOPES.index(last) + 1]) for role, last in _LAST.items()
}
