"""What docs/security.md says of other sites' pages, keys in wrong places, the first administrator and odd addresses."""

from __future__ import annotations

import ast
import gzip
import re
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from hazecast.grids.errors import ConflictError
from hazecast.services.accounts import tokens
from hazecast.services.accounts.accounts import add_account, change_account
from hazecast.services.store.tables.accounts import Account, ApiKey
from hazecast.services.web.app import create_app
from hazecast.services.web.page.answers import STATIC, static_prefix
from tests.support.accounts import keys_of_every_kind
from tests.support.paths import ROOT
from tests.support.settings import make_settings

KEYS: dict[str, str] = {}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("threats")
    KEYS.update(keys_of_every_kind(folder))
    with TestClient(create_app(make_settings(data_dir=folder, failed_keys=0))) as client:
        yield client


# -- pages of other sites (CSRF) -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_what_another_site_s_form_sends_carries_no_right(client, media) -> None:
    """A form needs no preflight, and a browser adds cookies alone: none is set, and none is read."""
    forged = {"Content-Type": media, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for name in ("key", "token", "session", "Authorization", "X-API-Key"):
        forged["Cookie"] = f"{name}={KEYS['root']}"
        answer = client.post("/v1/account/keys", content='{"label": "x"}', headers=forged)
        assert answer.status_code == 401 and "access-control-allow-origin" not in answer.headers
    for path in ("/", "/console", "/docs", "/v1/cities", "/v1/account"):
        assert "set-cookie" not in client.get(path, headers={"X-API-Key": KEYS["tianjin"]}).headers


# -- keys in wrong places, and their comparison ----------------------------------------------------------------------
def test_a_key_in_an_address_opens_nothing(client) -> None:
    for name in ("key", "api_key", "access_token", "X-API-Key"):
        answer = client.get("/v1/account", params={name: KEYS["tianjin"]})
        assert answer.status_code in (401, 422) and KEYS["tianjin"].split("_", 2)[2] not in answer.text


def test_an_answer_repeats_no_key(client) -> None:
    for where in ({"params": {"city": KEYS["root"]}}, {"headers": {"X-API-Key": KEYS["root"] + "x"}}):
        assert KEYS["root"].split("_", 2)[2] not in client.get("/v1/account", **where).text


def test_secrets_are_compared_in_constant_time(monkeypatch) -> None:
    _, token = tokens.new_token()
    compared = []
    compare = tokens.hmac.compare_digest
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or compare(a, b))
    digest = tokens.digest_of(token)
    assert tokens.matches(token, digest) and not tokens.matches(token + "x", digest)
    assert len(compared) == 2 and all(len(a) == len(b) == 64 for a, b in compared)
    # And nowhere by ==, which ends at the first letter that differs.
    for path in sorted((ROOT / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                named = {part.attr for part in (node.left, *node.comparators) if isinstance(part, ast.Attribute)}
                assert not named & {"digest", "code", "secret", "previous_secret"}, f"{path}:{node.lineno}"


# -- the first administrator -----------------------------------------------------------------------------------------
def test_a_new_store_has_no_account_and_nobody_makes_the_first_by_the_api(tmp_path) -> None:
    client = TestClient(create_app(make_settings(data_dir=tmp_path, failed_keys=0)))
    store = client.app.state.service.store
    with store.sessions() as session:
        for table in (Account, ApiKey):
            assert session.scalar(select(func.count()).select_from(table)) == 0
    new = {"id": "root", "name": "root", "role": "administrator"}
    for key in ({}, {"X-API-Key": "admin"}, {"X-API-Key": tokens.new_token()[1]}, {"Authorization": "Bearer "}):
        assert client.post("/v1/accounts", json=new, headers=key).status_code == 401
    add_account(store.sessions, "root", name="root", role="administrator", at=datetime.now(UTC))
    for change in ({"role": "public"}, {"disabled": True}):
        with pytest.raises(ConflictError, match="only administrator"):
            change_account(store.sessions, "root", at=datetime.now(UTC), **change)
    store.close()


def test_no_role_but_the_administrator_s_makes_accounts(client) -> None:
    new = {"id": "mallory", "name": "m", "role": "administrator"}
    assert client.post("/v1/accounts", json=new, headers={"X-API-Key": KEYS["tianjin"]}).status_code == 403
    assert client.get("/v1/accounts/mallory", headers={"X-API-Key": KEYS["root"]}).status_code == 404


# -- files -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("up", ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "....//", "/", "%2fetc%2fpasswd%00"])
def test_the_page_s_files_lead_to_no_others(client, up) -> None:
    real = client.get(f"{static_prefix()}/page.css")
    assert real.status_code == 200
    for path in ("answers.py", "../dependencies.py", "hazecast.db"):
        answer = client.get(f"{static_prefix()}/{up}{path}")
        assert answer.status_code in (400, 404) and "import" not in answer.text and "SQLite" not in answer.text
    assert not [path for path in STATIC.rglob("*") if path.is_symlink()]


# -- packed bodies ---------------------------------------------------------------------------------------------------
def test_a_packed_body_is_not_unpacked(client) -> None:
    bomb = gzip.compress(b'{"label": "' + b"x" * 10_000_000 + b'"}', 9)
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json", "X-API-Key": KEYS["tianjin"]}
    assert len(bomb) < 16_384
    assert client.post("/v1/account/keys", content=bomb, headers=packed).status_code in (400, 415, 422)
    small = gzip.compress(b'{"label": "x", "days": 1}')
    assert client.post("/v1/account/keys", content=small, headers=packed).status_code in (400, 415, 422)


# -- stored markup ---------------------------------------------------------------------------------------------------
def test_scripts_of_page_and_console_insert_texts_alone() -> None:
    scripts = [path for path in STATIC.rglob("*.js") if "vendor" not in path.parts]
    assert len(scripts) > 5
    markup = re.compile(
        r"(?:inner|outer)HTML\s*\+?=(?!=)|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTML|DOMParser"
    )
    for path in scripts:
        # These read pages and articles of this service, which the server has escaped.
        found = set(markup.findall(path.read_text(encoding="utf-8"))) - (
            {"DOMParser"} if path.name in {"addresses.js", "draft_text.js"} else set()
        )
        assert not found, path.name


def test_templates_escape_by_themselves() -> None:
    # Attributes that the service makes, and its own style sheet.
    exempt = {("console.html", "attributes|safe")} | {
        (f"{page}.html", "page_style|safe") for page in ("base", "embed", "reference")
    }
    for path in sorted((ROOT / "services").rglob("templates/*.html")):
        text = path.read_text(encoding="utf-8")
        found = {(path.name, use) for use in re.findall(r"\w+\|safe", text)}
        assert found <= exempt and "autoescape false" not in text, path


def test_a_name_with_markup_is_text_wherever_it_is_shown(client) -> None:
    name = '<img src=x onerror="alert(1)">'
    head = {"X-API-Key": KEYS["tianjin"]}
    made = client.post("/v1/subscriptions", json={"name": name, "channel": "stream"}, headers=head)
    assert made.status_code == 201
    shown = client.get("/v1/subscriptions", headers=head)
    assert name in [row["name"] for row in shown.json()["items"]]
    # As data: no browser takes it for a page.
    assert shown.headers["content-type"] == "application/json" and shown.headers["x-content-type-options"] == "nosniff"
    assert name not in client.get("/console").text
