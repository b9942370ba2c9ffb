"""What is shipped for operation: the compose file, the alert rules, and the metrics that they name."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import promql_parser
import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ConfigDict

from hazecast.services.core.settings import Settings, variables
from hazecast.services.web.app import create_app
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


class Rule(BaseModel):
    """An alerting rule of Prometheus."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


RULES = [
    (rule.pop("for", "0m"), Rule(**rule))
    for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


def names_in(expression: promql_parser.Expr) -> set[str]:
    """Return the metrics that a query names."""
    if isinstance(expression, promql_parser.VectorSelector):
        return {expression.name}
    if isinstance(expression, promql_parser.MatrixSelector):
        return names_in(expression.vector_selector)
    parts = [getattr(expression, name, None) for name in ("expr", "lhs", "rhs")]
    parts += list(getattr(expression, "args", None) or [])
    return set().union(*(names_in(part) for part in parts if part is not None))


@pytest.fixture(scope="module")
def exposed(tmp_path_factory) -> set[str]:
    """The names of all metrics that a scrape gives."""
    client = TestClient(create_app(Settings(data_dir=tmp_path_factory.mktemp("metrics"))))
    client.get("/v1/healthz")
    families = text_string_to_metric_families(client.get("/metrics").text)
    found = {family.name for family in families} | {"up"}
    return found | {f"{name}_{end}" for name in found for end in ("total", "bucket")}


@pytest.mark.parametrize(("lasting", "rule"), RULES, ids=[rule.alert for _, rule in RULES])
def test_every_alert_is_a_query_of_metrics_that_exist_and_is_explained(exposed, lasting, rule) -> None:
    names = names_in(promql_parser.parse(rule.expr))
    assert names and names <= exposed, names - exposed
    assert promql_parser.parse(f"x[{lasting}]") if lasting != "0m" else True
    assert rule.labels["severity"] in ("page", "ticket") and rule.annotations["summary"]
    assert f"`{rule.alert}`" in (ROOT / "docs" / "operations.md").read_text()


def test_the_compose_file_is_valid() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_fault_in_a_compose_file_is_found(tmp_path) -> None:
    broken = COMPOSE | {"services": {"api": {"image": "hazecast", "prots": ["8000:8000"]}}}
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(broken))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert subprocess.run([*command, str(tmp_path / "compose.yaml")], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_container_is_confined(name) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and str(service["user"]) not in ("root", "0")
    assert "healthcheck" in service or name == "api"  # that of the image
    text = yaml.safe_dump(service)
    assert "PASSWORD:" not in text and "postgresql://" not in text


def test_the_image_has_the_extras_that_the_compose_file_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (names,) = re.findall(r"^ARG EXTRAS=(.*)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert set(names.split(",")) <= set(project["optional-dependencies"])
    assert "postgres" in names.split(",") and "database" in COMPOSE["services"]


def test_secrets_and_volumes_named_are_defined_and_every_setting_is_one() -> None:
    fields = {variable for variable, _, _ in variables()} | {"HAZECAST_SECRETS_DIR"}
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        named = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert {name for name in named if not name.startswith(".")} <= set(COMPOSE["volumes"])
        assert {name for name in service.get("environment", {}) if name.startswith("HAZECAST_")} <= fields


def test_the_commands_of_the_containers_exist() -> None:
    from typer.testing import CliRunner

    from hazecast.services.cli.app import app

    commands = [COMPOSE["services"]["api"]["command"], COMPOSE["services"]["scheduler"]["command"]]
    commands.append(COMPOSE["services"]["scheduler"]["healthcheck"]["test"][1:])
    for command in commands:
        shown = CliRunner().invoke(app, [*command[1:], "--help"])
        assert shown.exit_code == 0, shown.output
