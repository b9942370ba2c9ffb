"""Tables of samples: read whole, or the faulty cell is named by line and column."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.sample_tables import read_labelled, read_samples


def test_a_table_with_comments_gaps_and_times(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("﻿# made up\nsample,SO4,NO3\n2014-01-02T00:00+08:00,1.5,NA\n2014-01-01T00:00+08:00,-0.2,\n")
    table = read_samples(path, times=True)
    assert list(table.columns) == ["SO4", "NO3"] and table.index[0].isoformat() == "2013-12-31T16:00:00"
    assert table["SO4"].tolist() == [-0.2, 1.5] and table["NO3"].isna().all()
    assert read_samples(path, index="sample").index[0] == "2014-01-02T00:00+08:00"


def test_marks_are_numbers_for_who_knows_them_alone(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("pair,first,second\na,1.5,-999\n")
    assert read_samples(path, marks=True)["second"].tolist() == [-999.0]
    with pytest.raises(InputError, match="line 2, column second: found -999"):
        read_labelled(path, ["pair"], ["first", "second"])


def test_a_row_is_not_lost_as_a_comment(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("# a,comment,before\nstack,a,b\n1,2,3\n# of the second of May\n2,3,4\n")
    assert read_samples(path).index.tolist() == ["1", "2"]
    path.write_text("stack,a,b\n#1,2,3\n#2,3,4\n")
    with pytest.raises(InputError, match="line 2: found '#1' with as many cells as the header"):
        read_samples(path)


def test_tabs_compression_and_rows_of_nothing(tmp_path) -> None:
    text = "Date\tSO4\tNO3\n6/1/2005\t1.5\t2\n\t\t\n"
    (tmp_path / "t.txt").write_text(text)
    (tmp_path / "t.gz").write_bytes(gzip.compress(text.encode()))
    table = read_samples(tmp_path / "t.txt")
    assert table.to_dict("list") == {"SO4": [1.5], "NO3": [2.0]} and read_samples(tmp_path / "t.gz").equals(table)
    (tmp_path / "t.gz").write_bytes(gzip.compress(text.encode())[:-12])
    with pytest.raises(InputError, match="a readable CSV file"):
        read_samples(tmp_path / "t.gz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file"),
        ("sample\n1\n", "line 1: found one column"),
        ("sample,a\n", "at least one sample"),
        ("sample,a,a\n1,2,3\n", "line 1: found column a twice"),
        ("sample,a,\n1,2,3\n", "column 3"),
        ("sample,a\n1,2\n3\n", "line 3: found 1 cells"),
        ("sample,a\n1,2\n2,x\n", "line 3, column a: found x"),
        ("sample,a\n1,inf\n", "line 2, column a: found inf"),
        ("sample,a\n1,-999\n", "line 2, column a: found -999; expected a number, or NA"),
        ("sample,a\n1,-9999.0\n", "line 2, column a: found -9999.0"),
        ("sample,a\n1,2\n1,3\n", "line 3, column sample: found 1"),
        ("time,a\n1,2\n", "line 1, column 1: found time; expected sample"),
        ("sample,a\n\xff,2\n", "UTF-8"),
    ],
)
def test_faults_are_named(tmp_path, text, message) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        read_samples(tmp_path / "t.csv", index="sample")


def test_times_must_be_times(tmp_path) -> None:
    (tmp_path / "t.csv").write_text("time,a\nMonday,2\n")
    with pytest.raises(InputError, match="line 2, column time: found Monday"):
        read_samples(tmp_path / "t.csv", times=True)
    (tmp_path / "t.csv").write_text("time,a\n2014-01-01,2\n2014-01-02T00:00Z,3\n")
    with pytest.raises(
        InputError, match="line 3, column time: found 2014-01-02T00:00Z; expected times with offset, or"
    ):
        read_samples(tmp_path / "t.csv", times=True)


def test_days_and_months_are_not_guessed_and_offsets_may_change(tmp_path) -> None:
    path = tmp_path / "t.csv"
    # The second of January or the first of February: pandas would take either, by what the other rows are.
    path.write_text("time,a\n01/02/2024 00:00,1\n13/02/2024 00:00,2\n")
    with pytest.raises(InputError, match="line 2, column time: found 01/02/2024 00:00; expected an ISO 8601"):
        read_samples(path, times=True)
    # The hour that a clock shows twice in autumn, in Paris.
    path.write_text("time,a\n2024-10-27T02:00+02:00,1\n2024-10-27T02:00+01:00,2\n2024-10-27 03:00+01:00,3\n")
    assert [f"{time:%H:%M}" for time in read_samples(path, times=True).index] == ["00:00", "01:00", "02:00"]
    path.write_text("time,a\n2024-10-27T02:00+02:00,1\n2024-10-27T01:00+01:00,2\n")
    with pytest.raises(
        InputError, match=r"line 3, column time: found 2024-10-27T01:00\+01:00; expected a time that no"
    ):
        read_samples(path, times=True)


def test_labelled_columns_by_name(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("value,kind,more\n1.5,spike,x\nNA,blank,y\n")
    table = read_labelled(path, ["kind"], ["value", "uncertainty?"])
    assert table["kind"].tolist() == ["spike", "blank"] and np.isnan(table["value"].iloc[1])
    assert table.index.tolist() == [2, 3] and "more" not in table
    with pytest.raises(InputError, match="also level"):
        read_labelled(path, ["kind"], ["level"])
    path.write_text("value,kind\n1.5,\n")
    with pytest.raises(InputError, match="line 2, column kind"):
        read_labelled(path, ["kind"], ["value"])


def test_units_that_headers_tell_are_compared(tmp_path) -> None:
    path = tmp_path / "runs.csv"
    units = {"speed": "km h-1", "grade": "1", "gas": "degree_Celsius"}

    def read(header: str) -> list[str]:
        path.write_text(f"{header}\na,1,2,3\n", encoding="utf-8")
        return list(read_labelled(path, ["run"], ["speed", "grade?", "gas?"], units=units, alike=[("grade", "gas")]))

    for header in (
        "run,speed (km/h),grade,gas",
        "run,speed [km h⁻¹],grade (-),gas",
        "run,speed（km h-1）,grade,gas (°C)",
    ):
        assert read(header) == ["run", "speed", "grade", "gas"]
    # An optional column is not passed over for its unit.
    for header, message in (
        ("run,speed (m/s),grade,gas", r"line 1, column speed: unit: found m/s; expected km h-1"),
        ("run,speed,grade (%),gas", "column grade: unit: found %; expected a share of 1"),
        ("run,speed,grade (1),gas (°C)", "column gas: unit: found °C; expected 1, as of grade"),
        ("run,speed,speed (km/h),gas", "column speed twice"),
    ):
        with pytest.raises(InputError, match=message):
            read(header)
    path.write_text("run,speed,benzo(a)pyrene (ng),b,c\na,1,2,3,4\n")
    assert list(read_labelled(path, ["run"], ["speed"], units=units)) == ["run", "speed"]


def test_units_of_columns_of_any_name(tmp_path) -> None:
    path = tmp_path / "voc.csv"

    def read(header: str, **how: object) -> list[str]:
        path.write_text(f"{header}\na,1,2,3\n", encoding="utf-8")
        return list(read_samples(path, **how))  # type: ignore[arg-type]

    header = "sample,toluene (ppbv),xylene (m+p),1-butene [nmol/mol]"
    assert read(header, unit="ppb") == ["toluene", "xylene (m+p)", "1-butene"]
    assert read(header) == ["toluene (ppbv)", "xylene (m+p)", "1-butene [nmol/mol]"]
    for told in ("µg/m³", "ug m-3", "ppbC", "ppm", "%"):
        with pytest.raises(InputError, match=r"line 1, column toluene: unit: found .*; expected ppb"):
            read(f"sample,toluene ({told}),a,b", unit="ppb")
    # Of no known unit, but of one.
    assert read("sample,Zn (ng/m3),Pb (ng m-3),n", one_unit=True) == ["Zn (ng/m3)", "Pb (ng m-3)", "n"]
    with pytest.raises(InputError, match=r"column PM2.5 \(ug/m3\): unit: found ug/m3; expected ng/m3, as of Zn"):
        read("sample,Zn (ng/m3),PM2.5 (ug/m3),n", one_unit=True)
    assert read("sample,oc (ug/m3),ec,x (m/s)", alike=[("oc", "ec")], units={"x": "m s-1"}) == ["oc", "ec", "x"]
    with pytest.raises(InputError, match="column x: unit: found km/h"):
        read("sample,oc,ec,x (km/h)", units={"x": "m s-1"})
    # A share of what?
    with pytest.raises(InputError, match="column ec: unit: found %"):
        read("sample,oc,ec (%),x", alike=[("oc", "ec")])


def test_rows_of_one_name_and_times_without_offset_are_refused_where_asked(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("pair,a\np1,1\np2,2\np1,1\n")
    assert len(read_labelled(path, ["pair"], ["a"])) == 3
    with pytest.raises(InputError, match="line 4, column pair: found p1; expected a name that no other row has"):
        read_labelled(path, ["pair"], ["a"], once="pair")
    path.write_text("time,a\n2024-01-01T01:00,1\n")
    assert len(read_samples(path, times=True)) == 1
    with pytest.raises(
        InputError, match="line 2, column time: found 2024-01-01T01:00; expected a time with its offset"
    ):
        read_samples(path, times=True, offset=True)
