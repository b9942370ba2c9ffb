"""Tables as bureaus hand them to studies: units in headers, rows twice, gaps, percent for shares."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from hazecast.grids.errors import InputError
from hazecast.services.cli.app import app
from hazecast.services.research.studies.served import FieldsRefusedError, checked_body
from tests.support.command_line import run_command

DUPLICATES = "pair,first,second\n" + "".join(f"p{n},{10 + n},{10.2 + 1.1 * n}\n" for n in range(10))
RUNS = "run,inlet,outlet\n" + "".join(f"r{n},{100 + n},{8 + 0.1 * n}\n" for n in range(6))
PAIRS = "pair,reference,monitor\n" + "".join(f"p{n},{20 + n},{20.5 + 1.01 * n}\n" for n in range(9))
SOLVENT = "item,kg,uncertainty\nI1,1000,50\nO1,300,30\nO4,500,50\n"
GAS = "reading,concentration,temperature,pressure,oxygen,moisture\nr1,20,120,101000,8,0.08\n"
FACTORY = "run,concentration,flow,product\n" + "".join(f"r{n},{90 + n},50000,{10 + 0.1 * n}\n" for n in range(4))
DUST = "sample,mass,volume\na,1.2,1.0\nb,1.3,1.1\n"
VOC = "sample,toluene (ug/m3),benzene\na,1,2\nb,2,1\n"
INTERLAB = "laboratory,value,uncertainty (%)\n" + "".join(f"l{n},{10 + 0.1 * n},2\n" for n in range(12))
REGIME = "sample,hcho,noy,no2 (ug/m3)\na,3,10,8\n"
METALS = "time,Zn (ng/m3)\n" + "".join(f"2024-01-01T{n:02d}:00Z,{n}\n" for n in range(24))

CELLS = "site,latitude,longitude,weight\na,39,116,9\nb,39,116,9\n"
SHARES = "source,K (%),Pb\na,1,2\n"
NEWEST = "day,x\n" + "".join(f"2024-01-{12 - n:02d},{10 + n % 3}\n" for n in range(12))
WIND = "time,Zn,wind_speed,wind_direction\n" + "".join(f"2024-01-01T{n:02d}:00Z,{n},2.5,90\n" for n in range(24))
VEHICLES = "vehicle,co,hc,no,speed,acceleration,grade\n" + "".join(
    f"v{n % 5},0.0{n},0.001,0.002,40,1,0\n" for n in range(10)
)


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (VOC, "voc FILE --units ppb", "line 1, column toluene: unit: found ug/m3; expected ppb"),
        (VOC, "voc-change FILE FILE --units ppb", "line 1, column toluene: unit: found ug/m3; expected ppb"),
        (REGIME, "ozone-regime FILE", "column no2: unit: found ug/m3; expected ppb"),
        ("day,so4 (ppb),so2\na,1,2\n", "oxidation FILE", "column so4: unit: found ppb; expected ug m-3"),
        ("day,oc (ug/m3),ec (ng/m3)\na,1,2\n", "secondary-carbon FILE", "column ec: unit: found ng/m3; expected ug/m3"),
        ("day,Zn (ng/m3),PM2.5 (ug/m3)\na,1,2\n", "sources FILE", "found ug/m3; expected ng/m3, as of Zn"),
        (METALS, "wind --place beijing --samples FILE --pollutant Zn", "column Zn: unit: found ng/m3; expected ug m-3"),
        (SOLVENT.replace("kg,", "kg (t),"), "solvent FILE", "column kg: unit: found t; expected kg"),
        (INTERLAB, "interlab FILE", "column uncertainty: unit: found %; expected the unit of value"),
        (PAIRS + "p1,21,21\n", "rata FILE --quantity so2", "line 11, column pair: found p1"),
        (DUPLICATES + "p1,11,11.3\n", "duplicates FILE", "line 12, column pair: found p1"),
        (RUNS + "r1,101,8.1\n", "removal FILE", "line 8, column run: found r1"),
        (FACTORY + "r1,91,50000,10\n", "factory FILE FILE --production 1000", "line 6, column run: found r1"),
        (GAS + "r1,20,120,101000,8,0.08\n", "flue-gas FILE --oxygen 6", "line 3, column reading: found r1"),
        (CELLS, "cover FILE --demand FILE --number 1 --radius 5", "line 3: found the same as an earlier row"),
        (
            SHARES,
            "mass-balance FILE --uncertainties FILE --profiles FILE",
            "column K: unit: found %; expected a share of 1",
        ),
        (NEWEST, "chart FILE --column x", "2024-01-11: found after 2024-01-12; expected the oldest point first"),
        (GAS, "flue-gas FILE --oxygen 0.06", "reference oxygen: found 0.06; expected %"),
        (DUST + "b,1.3,1.1\n", "low-dust FILE --blank 0.2 --limit 10", "line 4, column sample: found b"),
        (DUST.replace("1.1", "1100"), "low-dust FILE --blank 0.2 --limit 10", "found 1100.0; expected m3"),
        (
            "site,latitude,longitude,weight\na,116.4,39.9,9\n",
            "cover FILE --demand FILE --number 1 --radius 5",
            "latitude, longitude: found (116.4, 39.9)",
        ),
        (
            WIND.replace(",90", ",16"),
            "wind --place beijing --samples FILE --pollutant Zn",
            "wind_direction: highest: found 16.0; expected degrees",
        ),
        (
            WIND.replace("2.5,90", "99.9,90", 1),
            "wind --place beijing --samples FILE --pollutant Zn",
            "wind_speed at 2024-01-01 00:00:00 UTC: found 99.9",
        ),
    ],
)
def test_what_would_decide_a_study_wrongly_is_refused_by_name(tmp_path, text, words, message) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        run_command("study", *(path if word == "FILE" else word for word in words.split()))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DUPLICATES, "duplicates FILE --allowed 20"),
        (RUNS, "removal FILE --systematic 5"),
        (FACTORY, "factory FILE FILE --production 1000 --systematic 5"),
    ],
)
def test_percent_is_no_share_of_one(tmp_path, text, words) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    answer = CliRunner().invoke(app, ["study", *(str(path) if word == "FILE" else word for word in words.split())])
    assert answer.exit_code == 2 and "equal to" in answer.output


def answer(tmp_path, text: str, *words: str) -> dict:
    path = tmp_path / "table.csv"
    path.write_text(text)
    return json.loads(run_command("study", words[0], path, *words[1:], "--json"))


def test_a_species_that_a_sample_lacks_is_not_zero_in_it(tmp_path) -> None:
    found = answer(tmp_path, "sample,toluene (ppbv),benzene,ethane\na,,2,\nb,2,1,\n", "voc", "--units", "ppb")
    ranking = {row["species"]: row["ofp"] for row in found["ranking"]}
    assert found["ofp_ug_m3"] == pytest.approx(ranking["toluene"] + ranking["benzene"])
    # 2 ppb of toluene, 92.14 g/mol and MIR 4.00, at 24.465 l/mol; 1.5 ppb of benzene, 78.11 g/mol and MIR 0.72.
    assert found["ofp_ug_m3"] == pytest.approx((2 * 92.14 * 4.00 + 1.5 * 78.11 * 0.72) / 24.465, rel=1e-3)
    assert found["cells_missing"] == 3 and found["species_without_a_value"] == ["ethane"]


def test_what_a_study_leaves_out_is_counted(tmp_path) -> None:
    found = answer(tmp_path, "day,so4,so2\na,0,0\nb,9.606,6.406\nc,,1\n", "oxidation")
    assert (found["samples"], found["sor_samples"], found["sor_median"]) == (3, 1, pytest.approx(0.5))
    rows = "".join(f"s{n},{3 + n % 7},{1 + n % 5}\n" for n in range(40))
    found = answer(tmp_path, "day,oc,ec\n" + rows + "x,,2\ny,3,\n", "secondary-carbon")
    assert (found["samples"], found["samples_left_out"]) == (40, 2)
    points = "".join(f"d{n},{10 + n % 3}\n" for n in range(20))
    found = answer(tmp_path, "point,x\n" + points + "y,\n", "chart", "--column", "x")
    assert (found["points"], found["points_missing"]) == (20, 1)
    days = "".join(f"d{n},{20 + n},{21 + n + n % 2}\n" for n in range(45))
    text = "day,reference (ug/m3),candidate (µg/m³)\n" + days + "x,,3\n"
    assert answer(tmp_path, text, "equivalence", "--limit", "50")["days_left_out"] == 1


def test_readings_that_repeat_another_are_counted(tmp_path) -> None:
    words = ("exhaust", "--limit", "40", "--noise", "3")
    assert answer(tmp_path, VEHICLES, *words)["rows_that_repeat_another"] == 0
    twice = VEHICLES + "\n".join(VEHICLES.splitlines()[2:4]) + "\n"
    assert answer(tmp_path, twice, *words)["rows_that_repeat_another"] == 2


def test_a_row_of_the_api_with_true_for_a_number_is_refused() -> None:
    rows = [{"pair": "a", "first": 1, "second": 1.5}]
    assert checked_body("duplicates", json.dumps({"table": rows}).encode()).table == rows
    with pytest.raises(FieldsRefusedError) as refused:
        checked_body("duplicates", json.dumps({"table": [*rows, {"pair": "b", "first": True, "second": 2}]}).encode())
    assert any(field.startswith("table.1.first") for field, _ in refused.value.errors)


def test_without_uncertainties_of_the_inputs_none_is_stated(tmp_path) -> None:
    found = answer(tmp_path, GAS, "flue-gas", "--oxygen", "6")
    assert found["dry_gas"][0]["u_reference"] is None and "oxygen" in found["inputs_without_uncertainty"]
    header, row = GAS.splitlines()
    found = answer(tmp_path, f"{header},u_concentration\n{row},1\n", "flue-gas", "--oxygen", "6")
    # 5 % of the concentration are 5 % of the result.
    assert found["dry_gas"][0]["u_reference"] == pytest.approx(0.05 * found["dry_gas"][0]["reference"])
    assert found["inputs_without_uncertainty"] == ["temperature", "pressure", "oxygen", "moisture"]


def test_elements_that_are_not_compared_are_named_and_hours_need_their_offset(tmp_path) -> None:
    hours = "".join(
        f"2024-01-{d:02d}T{h:02d}:00OFF,{20 + d + h / 9},{5 + d / 2}\n" for d in range(1, 15) for h in range(24)
    )
    filters = "".join(f"f{d},2024-01-{d:02d}T00:00Z,2024-01-{d + 1:02d}T00:00Z,{19 + d},5\n" for d in range(1, 14))
    for name, text in (
        ("hours", "time,Zn,Pb\n" + hours.replace("OFF", "Z")),
        ("local", "time,Zn,Pb\n" + hours.replace("OFF", "")),
        ("filters", "filter,start,end,Zn,Cu\n" + filters),
        ("limits", "element,filter,xrf\nZn,0.5,0.5\n"),
        ("twice", "element,filter,xrf\nZn,0.5,0.5\nZn,5,5\n"),
    ):
        (tmp_path / f"{name}.csv").write_text(text)

    def compare(hourly: str, limits: str) -> dict:
        paths = [tmp_path / f"{name}.csv" for name in (hourly, "filters", limits)]
        return json.loads(run_command("study", "elements", *paths[:2], "--limits", paths[2], "--json"))

    assert compare("hours", "limits")["not_compared"] == ["Cu", "Pb"]
    with pytest.raises(
        InputError, match="line 2, column time: found 2024-01-01T00:00; expected a time with its offset"
    ):
        compare("local", "limits")
    with pytest.raises(InputError, match="line 3, column element: found Zn"):
        compare("hours", "twice")
