"""The API's reference at ``/docs``, made of its OpenAPI description: a page that loads and runs no script.

The console keeps a key within this origin, so nothing that others publish may run here, as a page that explores the API
would from its publisher's network. The description itself is at ``/openapi.json``, for whatever tool a reader prefers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hazecast.services.web.documents import TAGS, operations
from hazecast.services.web.page.answers import answer
from hazecast.services.web.page.frame import HTML, templates
from hazecast.services.web.page.words import words

# Styles and a picture of its own; no script at all.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SCHEMAS = "#/components/schemas/"
# The limits of JSON Schema that the description uses, in the words of the page.
_LIMITS = {
    "format": "{}", "pattern": "pattern {}", "minimum": "at least {}", "maximum": "at most {}",
    "exclusiveMinimum": "more than {}", "exclusiveMaximum": "less than {}", "minLength": "at least {} characters",
    "maxLength": "at most {} characters", "minItems": "at least {} items", "maxItems": "at most {} items",
}  # fmt: skip


def reference_routes(description: Callable[[], dict[str, Any]], seconds: int) -> list[BaseRoute]:
    """Return the route of the reference.

    Parameters
    ----------
    description : callable
        Returns the OpenAPI document; it is the same each time.
    seconds : int
        For how long a cache may answer without revalidating.

    Returns
    -------
    list of BaseRoute
    """

    @lru_cache(maxsize=1)
    def page() -> str:
        return reference_page(description())

    def home(request: Request) -> Response:
        found = answer(request, page(), HTML, seconds=seconds)
        found.headers["Content-Security-Policy"], found.headers["Referrer-Policy"] = _POLICY, "no-referrer"
        return found

    return [Route("/docs", home)]


def reference_page(document: dict[str, Any]) -> str:
    """Return the reference of an OpenAPI document as HTML.

    Parameters
    ----------
    document : dict
        An OpenAPI 3.1 description, its references within itself.

    Returns
    -------
    str
    """
    wording = words("en")
    schemas = document["components"]["schemas"]
    return (
        templates()
        .get_template("reference.html")
        .render(
            t=wording.say,
            words=wording,
            languages=[],
            home="/",
            document=document,
            sections=_sections(document),
            schemas=dict(sorted(schemas.items(), key=lambda item: _name(item[0]))),
            name=_name,
            prose=_prose,
            type_of=type_text,
            pretty=partial(json.dumps, ensure_ascii=False, indent=2),
        )
    )


def type_text(schema: dict[str, Any]) -> Markup:
    """Return what a JSON Schema allows, in words; the names of representations are links to their tables."""
    if "$ref" in schema:
        key = schema["$ref"].removeprefix(_SCHEMAS)
        return Markup('<a href="#schema-{}">{}</a>').format(key, _name(key))
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            kinds = [type_text(one) for one in schema[several]]
            return Markup(" or ").join(dict.fromkeys(kinds))
    if "const" in schema:
        return escape(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        return Markup(" | ").join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        said = Markup("list of {}").format(type_text(schema.get("items", {})))
    elif isinstance(schema.get("additionalProperties"), dict):
        said = Markup("object of {}").format(type_text(schema["additionalProperties"]))
    else:
        said = escape(" or ".join(kind) if isinstance(kind, list) else kind)
    limits = [told.format(schema[key]) for key, told in _LIMITS.items() if key in schema]
    return said + Markup(" ({})").format(", ".join(limits)) if limits else said


def _sections(document: dict[str, Any]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return the operations by tag: the described tags in their order, then the others."""
    by_tag: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in TAGS}
    for path, method, operation in operations(document):
        tag = (operation.get("tags") or ["other"])[0]
        by_tag.setdefault(tag, []).append(operation | {"path": path, "method": method.upper()})
    said = {tag["name"]: tag["description"] for tag in document.get("tags", ())}
    return [(tag, said.get(tag, ""), found) for tag, found in by_tag.items() if found]


def _name(key: str) -> str:
    """Return a representation's name; where two modules have the same, its key names the module before it."""
    return ".".join(key.split("__")[-2:])


def _prose(text: str | None) -> Markup:
    """Return a description as HTML: paragraphs, and code between backticks. All else is text."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", (text or "").strip()):
        # Two backticks in docstrings, one in Markdown: every second part is code.
        parts = [escape(part) for part in re.split(r"`{1,2}", paragraph)]
        told = [Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts)]
        paragraphs.append(Markup("<p>{}</p>").format(Markup("").join(told)))
    return Markup("").join(paragraphs) if text else Markup("")
