"""The report that every study's command writes: one page with what was found and what was asked."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from hazecast.grids.errors import InputError
from hazecast.services.cli.studies.output import Result
from hazecast.services.cli.studies.report import LONGEST, report_page
from tests.support.command_line import run_command


def test_page_holds_values_tables_and_figures() -> None:
    table = pd.DataFrame({"value": [0.123456, float("nan")]}, index=pd.Index(["<a>", "b"], name="sample"))
    summary = {"reduction": {"value": 0.6, "low": 0.5, "high": 0.7}, "named": ["x", "y"], "none": None}
    page = report_page(
        "hazecast study x", "What it does.", {"limit": 20.0}, Result(summary, {"samples": table}, {"line": Figure()})
    )
    assert "0.6 (0.5 to 0.7)" in page and "x, y" in page and "&lt;a&gt;" in page and "<a>" not in page
    assert "<td>0.1235</td>" in page and "<td>-</td>" in page and "data:image/png;base64," in page
    assert "<td>limit</td><td>20</td>" in page and "more rows" not in page


def test_a_long_table_is_cut_and_says_so() -> None:
    table = pd.DataFrame({"value": range(LONGEST + 5)})
    assert "5 more rows are not shown" in report_page("t", "d", {}, Result({}, {"long": table}))


def test_a_command_writes_it(tmp_path) -> None:
    (tmp_path / "budget.csv").write_text("component,kind,value\nruns,standard,1\ndrift,rectangular,2\n")
    run_command("study", "budget", tmp_path / "budget.csv", "--report", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "hazecast study budget" in page and "drift" in page and "budget.csv" in page
    with pytest.raises(InputError, match=r"ends in \.html"):
        run_command("study", "budget", tmp_path / "budget.csv", "--report", tmp_path / "page.doc")
