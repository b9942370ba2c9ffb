"""Commands run in the test's own process."""

from __future__ import annotations

from typer.testing import CliRunner

from hazecast.services.cli.app import app


def run_command(*words: object) -> str:
    """Run a command and return what it printed; its error is raised as the command's main would see it."""
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout
