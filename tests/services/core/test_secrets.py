"""Secrets come from the environment or from files, and get into no log, no error and no print of the settings."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from hazecast.alerts.messages import cap
from hazecast.grids.errors import InputError
from hazecast.services.core.settings import Settings, explained, variables
from hazecast.services.sources.monitors import cnemc
from tests.support.paths import ROOT
from tests.support.settings import make_settings

ROOMS = ("grids", "models", "forecast", "alerts", "services")
SECRET = "s3cr3t-of-the-bureau"  # noqa: S105 (an example)


FIELDS = {variable.removeprefix("HAZECAST_").lower(): (group, field) for variable, group, field in variables()}


def secret_fields() -> list[str]:
    return [name for name, (_, field) in FIELDS.items() if "SecretStr" in str(field.annotation)]


def value_of(settings: Settings, name: str) -> object:
    group, field = FIELDS[name]
    owner = next(getattr(settings, n) for n, f in Settings.model_fields.items() if f.annotation is group)
    return getattr(owner, next(n for n, f in group.model_fields.items() if f is field))


def test_names_that_sound_secret_are_secret() -> None:
    assert len(secret_fields()) >= 3
    for name, (_, field) in FIELDS.items():
        words = set(name.split("_"))
        if words & {"key", "password", "secret", "token"} and field.annotation not in (int, float, bool):
            assert name in secret_fields() or name.endswith(("_file", "_url")), name


@pytest.mark.parametrize("name", secret_fields())
def test_a_secret_comes_from_the_environment_or_a_file_and_is_never_shown(name, tmp_path, monkeypatch, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HAZECAST_DATA_DIR", str(tmp_path))
    (tmp_path / f"hazecast_{name}").write_text(f"{SECRET} of a file\n")
    monkeypatch.setenv("HAZECAST_SECRETS_DIR", str(tmp_path))
    of_file = value_of(Settings(), name)
    monkeypatch.setenv(f"HAZECAST_{name.upper()}", SECRET)
    settings = Settings()
    assert of_file.get_secret_value() == f"{SECRET} of a file"
    assert isinstance(value_of(settings, name), SecretStr) and value_of(settings, name).get_secret_value() == SECRET
    logging.getLogger("test").info("%s %r %s", settings, settings, settings.model_dump())
    try:
        make_settings(weather="", **{name: [SECRET]})
    except ValidationError as error:
        logging.getLogger("test").error("%s %s", error, explained(error))
    logging.getLogger("test").error("%s", settings.model_dump_json())
    assert "test" in caplog.text and SECRET not in caplog.text


def test_the_database_s_password_is_not_shown(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("HAZECAST_DATABASE_URL", f"postgresql+psycopg://hazecast:{SECRET}@db/hazecast")
    caplog.set_level(logging.DEBUG)
    logging.getLogger("test").info("%s %r", Settings(), Settings())
    assert SECRET not in caplog.text


def test_a_folder_of_secrets_that_is_missing_is_an_error(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HAZECAST_SECRETS_DIR", str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="absent"):
        Settings()


def test_a_wrong_setting_s_error_shows_no_secret(tmp_path) -> None:
    """The whole command, with every secret set and one setting wrong."""
    given = {f"HAZECAST_{name.upper()}": f"{SECRET}-{name}" for name in secret_fields()}
    given |= {"HAZECAST_DATABASE_URL": f"postgresql+psycopg://u:{SECRET}@db/h", "HAZECAST_PORT": "high"}
    run = subprocess.run(
        [sys.executable, "-m", "hazecast.services.cli.app", "accounts", "list", "--data-dir", str(tmp_path)],
        env={"PATH": "/usr/bin:/bin", **given}, cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 2 and "HAZECAST_PORT: found 'high'" in run.stderr
    assert SECRET not in run.stdout + run.stderr


# -- what the code may not do ----------------------------------------------------------------------------------------
def calls() -> list[tuple[str, ast.Call]]:
    """Return every call in the product, as ``file:line name``."""
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    found.append((f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}", node))
    return found


def keywords(node: ast.Call) -> dict[str, Any]:
    return {k.arg: k.value.value for k in node.keywords if k.arg and isinstance(k.value, ast.Constant)}


def test_nothing_is_unpickled() -> None:
    checked = 0
    for where, node in calls():
        name = where.split()[-1]
        assert not name.startswith(("pickle.", "dill.", "joblib.", "shelve.", "cloudpickle.")), where
        assert not name.endswith("read_pickle"), where
        if name == "torch.load":
            assert keywords(node).get("weights_only") is True, where
            checked += 1
        if name.endswith(("np.load", "numpy.load")):
            assert keywords(node).get("allow_pickle", False) is False, where
    assert checked >= 1


def test_foreign_xml_is_read_without_entities_and_network() -> None:
    """Every parse of XML names a parser, and every parser is shut."""
    parsers = 0
    for where, node in calls():
        name = where.split()[-1]
        if name.endswith("XMLParser"):
            given = keywords(node)
            assert (given["resolve_entities"], given["no_network"], given["load_dtd"]) == (False, True, False), where
            assert given["huge_tree"] is False, where
            parsers += 1
        if name in ("etree.fromstring", "etree.parse", "etree.XML", "etree.iterparse"):
            assert len(node.args) > 1 or any(k.arg == "parser" for k in node.keywords), where
        assert not name.startswith(("ElementTree.", "minidom.", "sax.", "expat.")), where
    assert parsers >= 1


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file://{path}">]>',
        '<!DOCTYPE r [<!ENTITY % d SYSTEM "file://{path}"> %d;]>',
        '<!DOCTYPE r SYSTEM "file://{path}">',
        '<!DOCTYPE r [<!ENTITY a "{many}"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>',
    ],
)
def test_an_entity_brings_no_file_and_does_not_grow(tmp_path, doctype) -> None:
    (tmp_path / "secret.txt").write_text(SECRET)
    start = doctype.format(path=tmp_path / "secret.txt", many="y" * 100_000).encode()
    station = b"<AQIDataPublishLive><Area>&x;</Area></AQIDataPublishLive>"
    try:
        read = str(cnemc.read_rows(start + b"<r>" + station + b"</r>"))
    except ValueError as error:
        read = str(error)
    assert SECRET not in read and len(read) < 10_000
    with pytest.raises(InputError) as refused:
        cap.parse(start + b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><note>&x;</note></alert>')
    assert SECRET not in str(refused.value) and len(str(refused.value)) < 10_000
