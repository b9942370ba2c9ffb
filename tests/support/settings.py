"""Settings for tests, by the names of their environment variables without ``HAZECAST_``, in lower case."""

from __future__ import annotations

import base64
from collections import defaultdict
from typing import Any

from hazecast.services.core.settings import Settings, variables

SEAL_KEY = base64.urlsafe_b64encode(b"a key for webhooks in tests only").decode()


def make_settings(**given: Any) -> Settings:
    """Return settings of the environment with what is given, each by its variable's name; with a key for secrets."""
    given = {"webhook_secret_key": SEAL_KEY} | given
    own, groups = _split(given)
    made = {name: Settings.model_fields[name].annotation(**values) for name, values in groups.items()}  # type: ignore[misc]
    return Settings(**own, **made)


def changed(settings: Settings, **given: Any) -> Settings:
    """Return settings with some replaced, unchecked."""
    own, groups = _split(given)
    new = {name: getattr(settings, name).model_copy(update=values) for name, values in groups.items()}
    return settings.model_copy(update=own | new)


def _split(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    names = {field.annotation: name for name, field in Settings.model_fields.items()}
    own: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    for variable, group, field in variables():
        name = variable.removeprefix("HAZECAST_").lower()
        if name in given:
            target = own if group is Settings else groups[names[group]]
            target[_field_name(group, field)] = given[name]
    unknown = set(given) - {variable.removeprefix("HAZECAST_").lower() for variable, _, _ in variables()}
    assert not unknown, f"no such settings: {unknown}"
    return own, groups


def _field_name(group: type, field: Any) -> str:
    return next(name for name, one in group.model_fields.items() if one is field)  # type: ignore[attr-defined]
