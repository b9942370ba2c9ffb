"""The report that every study's command writes, HTML or PDF: what was found and what was asked, tables, figures, method and limits."""

from __future__ import annotations

import html
import io
from datetime import UTC, datetime

import pandas as pd
import pytest
import typer
from matplotlib.figure import Figure
from pypdf import PdfReader

from hazecast.grids.errors import InputError
from hazecast.services.cli.studies.app import study_app
from hazecast.services.research.studies.asking import Call
from hazecast.services.research.studies.pictures import drawn
from hazecast.services.research.studies.report import LONGEST, as_html, as_pdf, methods, pictures_of, sheet_of
from hazecast.services.research.studies.report_text import column, said
from hazecast.services.research.studies.report_text import words as called
from hazecast.services.research.studies.result import Result
from tests.support.command_line import run_command

MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
CALL = Call("factory", "What it\ndoes.", {"limit": 20.0, "production": 1e5, "out": None, "report": "x.html"})


def result(rows: int = 2) -> Result:
    table = pd.DataFrame({"value": 0.123456}, index=pd.Index([f"<a{n}> #x" for n in range(rows)], name="sample"))
    table.iloc[-1] = float("nan")
    summary = {"reduction": {"value": 0.6, "low": 0.5, "high": 0.7}, "named": ["x", "y"], "none": None, "shown": True}
    return Result(summary, {"all_samples": table}, {"a_line": Figure(figsize=(4, 2))})


def html_of(rows: int = 2) -> str:
    found = result(rows)
    return as_html(sheet_of(CALL, found), pictures_of(found))


def pdf_of(rows: int = 2) -> PdfReader:
    found = result(rows)
    return PdfReader(io.BytesIO(as_pdf(sheet_of(CALL, found), pictures_of(found), MADE)))


def words(document: PdfReader) -> str:
    return "".join(page.extract_text() for page in document.pages).replace("\u200b", "")


def test_page_holds_values_tables_figures_method_and_limits() -> None:
    page = html_of()
    assert "0.60 (0.50 to 0.70)" in page and "x, y" in page and "&lt;a0&gt;" in page and "<a0>" not in page
    assert "<td>0.1235</td>" in page and "<td>-</td>" in page and "data:image/png;base64," in page
    assert (
        "<td>limit</td><td>20</td>" in page
        and "<td>study</td><td>hazecast study factory</td>" in page
        and "<td>product of a year, t</td><td>100,000</td>" in page
        and "x.html" not in page
    )
    assert html.escape(methods()["factory"]["method"]) in page and "<h2>Limits</h2>" in page and "more rows" not in page


def test_pdf_says_the_same_and_is_tagged() -> None:
    document = pdf_of()
    said = words(document)
    for part in (
        "A factory before and after",
        "What it does.",
        "0.60 (0.50 to 0.70)",
        "<a0> #x",
        "0.1235",
        "all samples",
        "a line",
        "Method",
    ):
        assert part in said, part
    assert document.metadata is not None and document.metadata.title == "A factory before and after"
    root = document.trailer["/Root"]
    assert root["/Lang"].startswith("en") and root["/MarkInfo"]["/Marked"] and "/StructTreeRoot" in root
    assert len(document.pages) == 1 and len(list(document.pages[0].images)) == 1


def test_a_long_table_is_cut_and_says_so() -> None:
    assert "53 more rows are not shown" in html_of(LONGEST + 5)
    assert "53 more rows are not shown" in words(pdf_of(LONGEST + 5))
    assert "more rows" not in html_of(LONGEST)
    # After the figures, which say more than the beginning of a table.
    page = html_of(LONGEST + 5)
    assert page.index("<img") < page.index("all samples")


def test_every_study_says_its_method_and_limits() -> None:
    commands = typer.main.get_command(study_app).commands  # type: ignore[attr-defined]
    assert set(methods()) == set(commands)
    assert all(about[part].endswith(".") for about in methods().values() for part in ("method", "limits"))
    titles = [about["title"] for about in methods().values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        # A limit of 0.06 ppm beside others in ug m-3 keeps its digits.
        ([35.0, 160.0, 0.06, float("nan")], ("35.0", "160.0", "0.06", "-")),
        ([107.94, 92.163, 59.2], ("107.9", "92.2", "59.2")),
        ([0.9757, 0.0001138, 0.0, -1.4e-8], ("0.9757", "0.00011", "0", "-1.4e-08")),
        ([1397.23, 3.1], ("1,397", "3.1")),
        ([1.0, 2014.0], ("1", "2,014")),
        ([True, False], ("yes", "no")),
        (["cn_2012_class1", "o3_8h"], ("GB 3095-2012, class 1", "O3, 8 h mean")),
        (pd.to_datetime(["2013-01-01", None]), ("2013-01-01", "-")),
        (pd.to_datetime(["2013-01-01T00", "2013-01-01T05"]), ("2013-01-01 00:00", "2013-01-01 05:00")),
    ],
)
def test_a_column_has_the_digits_that_mean_something(values, cells) -> None:
    assert column(pd.Series(values), {}) == cells


def test_a_number_an_interval_and_a_name_are_written_as_a_reader_does() -> None:
    assert [said(one) for one in (93.94, 362.0, 1.0, -3.4e-5, 123_456.7)] == [
        "93.94",
        "362",
        "1",
        "-3.4e-05",
        "123,457",
    ]
    assert said({"value": 1234.5, "low": 800.0, "high": 1600.0}) == "1,234 (800 to 1,600)"
    assert said({"value": 12.3456, "low": 10.1, "high": 14.2}) == "12.3 (10.1 to 14.2)"
    assert said({"value": 1.0, "low": None, "high": None}) == "1 (- to -)"
    assert called("threshold_ug_m3") == "threshold, µg/m³" and called("trend_percent_a_year") == "trend, % a year"


def test_names_in_chinese_are_drawn() -> None:
    figures = []
    for name in ("toluene", "\u7532\u82ef", "\u4e59\u82ef"):
        figure = Figure(figsize=(2, 1))
        figure.text(0.1, 0.5, name)
        figures.append(drawn(figure))
    # A missing sign would be the same box for each, and a warning, which is an error here.
    assert len(set(figures)) == 3


def test_a_command_writes_it(tmp_path) -> None:
    (tmp_path / "budget.csv").write_text("component,kind,value\nruns,standard,1\ndrift,rectangular,2\n")
    run_command("study", "budget", tmp_path / "budget.csv", "--report", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "hazecast study budget" in page and "drift" in page and ">budget.csv<" in page
    with pytest.raises(InputError, match=r"ends in \.html or \.pdf"):
        run_command("study", "budget", tmp_path / "budget.csv", "--report", tmp_path / "page.doc")


def test_the_report_of_a_factory_is_one_page(tmp_path) -> None:
    for name, level in (("before", 100), ("after", 40)):
        rows = [f"run {n},{level * (1 + 0.1 * (n % 3))},50000,20" for n in range(12)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["run,concentration,flow,product", *rows]) + "\n")
    given = (
        tmp_path / "before.csv",
        tmp_path / "after.csv",
        "--production",
        "1e5",
        "--investment",
        "2e5",
        "--charge",
        "4",
    )
    run_command("study", "factory", *given, "--systematic", "0.05", "--report", tmp_path / "factory.pdf")
    document = PdfReader(tmp_path / "factory.pdf")
    said = words(document)
    assert len(document.pages) == 1 and len(list(document.pages[0].images)) == 1
    for part in ("run 11", "reduction", "before and after", "payback, years", "investment", "200,000", "Limits"):
        assert part in said, part
