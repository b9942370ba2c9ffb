"""No redirect leads where the sender of a request says."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from hazecast.services.web.app import create_app
from tests.support.settings import make_settings


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/console/", 308, "/console"),
        ("/console/?lang=en", 308, "/console?lang=en"),
        ("/v1/cities/", 404, None),
        ("//evil.example/", 404, None),
    ],
)
def test_a_slash_too_many_names_no_host(tmp_path_factory, path, status, location) -> None:
    settings = make_settings(data_dir=tmp_path_factory.getbasetemp() / "redirects")
    with TestClient(create_app(settings), follow_redirects=False) as client:
        answer = client.get(f"http://testserver{path}", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers.get("location")) == (status, location)
    assert "evil.example" not in str(answer.headers)
