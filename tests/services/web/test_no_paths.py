"""No public answer names the data folder, also where a file is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient

from hazecast.grids.errors import InputError
from hazecast.services.web.app import create_app
from tests.support.settings import make_settings


def test_an_error_about_a_file_does_not_say_where_it_lies(tmp_path, monkeypatch) -> None:
    settings = make_settings(data_dir=tmp_path)
    app = create_app(settings)

    @app.get("/v1/broken")
    def broken() -> None:
        path = tmp_path / "forecasts" / "a.nc"
        try:
            fail(path)
        except InputError as error:
            raise HTTPException(404, str(error)) from error

    def fail(path: Path) -> None:
        raise InputError("forecast file", path, f"a file in {tmp_path}")

    with TestClient(app) as client:
        answer = client.get("/v1/broken")
    assert answer.status_code == 404 and "forecasts/a.nc" in answer.text
    assert str(tmp_path) not in answer.text


@pytest.mark.parametrize("path", ["/v1/readyz", "/v1/cycles", "/v1/forecasts", "/v1/forecasts/latest", "/v1/healthz"])
def test_answers_name_no_path(simulated_run, path) -> None:
    with TestClient(create_app(simulated_run)) as client:
        assert str(simulated_run.data_dir) not in client.get(path).text
