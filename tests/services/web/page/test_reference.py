"""The API's reference is complete, and runs and loads nothing that another publishes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from hazecast.services.web.app import create_app
from hazecast.services.web.documents import operations
from hazecast.services.web.page.reference import reference_page, type_text
from tests.support.settings import make_settings


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with TestClient(create_app(make_settings(data_dir=tmp_path_factory.mktemp("reference")))) as client:
        yield client


class Parts(HTMLParser):
    """The ids, the links and all that a page loads or runs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.ids, self.links, self.loaded, self.handlers = set(), set(), set(), set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.handlers |= {name for name in values if name.startswith("on") or name == "style"}
        if "id" in values:
            assert values["id"] not in self.ids
            self.ids.add(values["id"])
        if tag == "a":
            self.links.add(values["href"])
        else:
            self.loaded |= {values[name] for name in ("src", "href") if name in values}


def test_the_reference_needs_no_script_and_loads_only_the_service_s_own_files(client) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    parts = Parts(answer.text)
    assert not parts.tags & {"script", "iframe", "object", "form"} and not parts.handlers
    assert parts.loaded and all(address.startswith("/page/static/") for address in parts.loaded)
    for address in parts.loaded:
        assert client.get(address).status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'", "style-src": "'self'", "img-src": "'self'", "base-uri": "'none'",
        "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    for former in ("/redoc", "/docs/oauth2-redirect"):
        assert client.get(former).status_code == 404


def test_no_page_allows_a_script_from_elsewhere(client) -> None:
    for path in ("/", "/console", "/docs", "/embed/beijing", "/openapi.json", "/v1/cities"):
        policy = client.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "http" not in policy and "unsafe" not in policy


def test_the_reference_shows_every_operation_and_representation(client) -> None:
    document = client.get("/openapi.json").json()
    page = client.get("/docs").text
    parts = Parts(page)
    for path, _, operation in operations(document):
        assert operation["operationId"] in parts.ids
        assert f"<code>{path}</code>" in page
    for key in document["components"]["schemas"]:
        assert f"schema-{key}" in parts.ids
    assert {link[1:] for link in parts.links if link.startswith("#")} <= parts.ids
    assert re.search(r"<code>lead_hours?</code>|<code>pm25</code>", page)


def test_markup_in_a_description_is_text() -> None:
    operation = {
        "operationId": "a", "tags": ["<b>"], "description": "`<script>` and <img src=x onerror=alert(1)>",
        "parameters": [], "responses": {"200": {"description": "<i>"}},
    }  # fmt: skip
    document = {
        "info": {"title": "<u>", "version": "1", "description": ""},
        "paths": {"/x": {"get": operation}},
        "components": {"schemas": {}},
    }
    page = reference_page(document)
    assert "<script" not in page and "<img src=x" not in page and "<u>" not in page
    assert "<code>&lt;script&gt;</code>" in page


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "maxLength": 8}, "string (at most 8 characters)"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, "integer (at least 1) or null"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "list of &#34;a&#34; | &#34;b&#34;"),
        ({"$ref": "#/components/schemas/RunOut"}, '<a href="#schema-RunOut">RunOut</a>'),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({}, "any"),
    ],
)
def test_a_schema_is_said_in_words(schema, said) -> None:
    assert str(type_text(schema)) == said
