"""The registry: all partner governments, and every mistake in it named."""

from __future__ import annotations

import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry

JAPAN = [
    "tokyo",
    "saitama",
    "toyama",
    "nagano",
    "hyogo",
    "fukuoka",
    "kawasaki",
    "yokkaichi",
    "kobe",
    "kitakyushu",
    "oita",
]
CHINA = [
    "beijing",
    "tianjin",
    "shanghai",
    "shenyang",
    "wuhan",
    "handan",
    "tangshan",
    "dalian",
    "jiangsu",
    "hebei",
    "guangdong",
    "liaoning",
    "shanxi",
]
MODEL = ["xian", "xiamen", "chongqing", "zhuhai"]


def test_all_28_partner_governments() -> None:
    regions = load_registry().regions
    assert set(regions) == set(JAPAN + CHINA + MODEL) and len(regions) == 28
    assert all(regions[name].country == "JP" for name in JAPAN)
    assert {name for name, region in regions.items() if region.kind == "model_city"} == set(MODEL)
    assert "nanjing" in regions["jiangsu"].cities and len(regions["jiangsu"].cities) > 1


def test_working_pairs_hold_both_ways() -> None:
    regions = load_registry().regions
    assert set(regions["kitakyushu"].partners) == {"shanghai", "tianjin"}
    assert regions["shenyang"].partners == ("kawasaki",) and regions["fukuoka"].partners == ("jiangsu",)


def test_every_shipped_city_has_a_code_of_its_own() -> None:
    cities = load_registry().cities.values()
    assert len({city.code for city in cities} - {None}) == len(cities)
    assert load_registry().city("tangshan").province_code == "130000"
    assert load_registry().city("kawasaki").province_code == "14"


def test_unknown_city_names_close_matches() -> None:
    with pytest.raises(InputError, match="bejing.*beijing"):
        load_registry().city("bejing")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("latitude = 39.904", "latitude = 91.0", "beijing, latitude"),
        ("latitude = 39.904", 'latitude = "north"', "beijing, latitude"),
        ('time_zone = "Asia/Tokyo"', 'time_zone = "Asia/Edo"', "time_zone"),
        ('name_ja = "瀋陽"', 'name_ja = ""', "shenyang, name_ja"),
        ('cities = ["beijing"]', 'cities = ["peking"]', "beijing"),
        ('partners = ["kawasaki"]', "partners = []", "kawasaki, partners"),
        ('id = "wuhan"', 'id = "handan"', "used once"),
        ("elevation = 44", "elevation = 44\nheight = 3", "beijing, height"),
        ("[[region]]", "[[region", "TOML"),
        ('code = "110000"', 'code = "11"', "beijing, code.*an area code of CN"),
        ('code = "14130"', 'code = "99130"', "kawasaki, code.*an area code of JP"),
    ],
)
def test_mistakes_are_named(tmp_path, old, new, message) -> None:
    from hazecast.grids.places.cities import _FILE

    text = _FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "cities.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_registry(path)
