"""A bureau's own cities: what its files may leave out, and every mistake named with what was meant."""

from __future__ import annotations

import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.places.cities import load_registry
from hazecast.grids.places.own import own_registry
from hazecast.grids.weather.regular_grid import EAST_ASIA, box_around

LYON = """
[[city]]
id = "lyon"
name_en = "Lyon"
country = "FR"
latitude = 45.764
longitude = 4.836
time_zone = "Europe/Paris"
stations = ["openaq:Lyon Centre"]
"""
TABLE = (
    "id,name_en,name_zh,country,region,latitude,longitude,time_zone,stations\n"
    "handan,Handan,邯郸,CN,hebei,36.6,114.5,Asia/Shanghai,cnemc:邯郸市;cnemc:肥乡\n"
    "langfang,Langfang,廊坊,CN,hebei,39.5,116.7,Asia/Shanghai,\n"
)


def folder_of(path, **files: str):
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (path / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return path


def test_cities_are_added_replaced_and_sorted_into_regions(tmp_path) -> None:
    registry = own_registry(folder_of(tmp_path, mine_toml=LYON, hebei_csv=TABLE))
    lyon, handan, langfang = (registry.city(name) for name in ("lyon", "handan", "langfang"))
    assert (lyon.name_zh, lyon.region, registry.regions["lyon"].cities) == ("Lyon", "lyon", ("lyon",))
    assert (lyon.province_code, lyon.elevation, lyon.code) == (None, None, None)
    assert (handan.latitude, handan.name_ja, langfang.name_zh) == (36.6, "Handan", "廊坊")
    assert {"langfang", "handan", "shijiazhuang"} <= set(registry.regions["hebei"].cities)
    assert len(registry.cities) == len(load_registry().cities) + 2 and not registry.others
    rules = load_station_cities(registry)
    assert rules.by_place("cnemc", "肥乡区") == "handan" and rules.by_place("openaq", "Lyon Centre 2") == "lyon"


def test_without_the_shipped_cities_they_are_known_by_name_alone(tmp_path) -> None:
    registry = own_registry(
        folder_of(tmp_path, mine_toml=LYON, off_toml=LYON.replace("lyon", "lille") + "forecast = false"), shipped=False
    )
    assert list(registry.cities) == ["lyon"] and list(registry.regions) == ["lyon"]
    assert registry.city("beijing").time_zone == "Asia/Shanghai" and "lille" in registry.others
    assert load_station_cities(registry).by_place("cnemc", "北京市") == "beijing"
    assert box_around(tuple(registry.cities.values())).west < 4.8 < box_around(tuple(registry.cities.values())).east
    with pytest.raises(InputError, match="no city that is forecast"):
        own_registry(folder_of(tmp_path / "none"), shipped=False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("latitude =", "latitud =", r'mine.toml: city lyon, latitud: found 45.764; .*did you mean "latitude"\?'),
        ("latitude = 45.764\n", "", "city lyon, latitude: found nothing; expected a value"),
        ("Europe/Paris", "Europe/Pari", r'time_zone: found Europe/Pari; .*did you mean "Europe/Paris"\?'),
        ("[[city]]", "[[citty]]", r'mine.toml: citty: .*did you mean "city"\?'),
        ('country = "FR"', 'country = "FR"\nregion = "hebey"', r'region: found hebey; .*did you mean "hebei"\?'),
        ('country = "FR"', 'country = "FR"\nregion = "hebei"', "region: found hebei; expected a region of FR, not of CN"),
        ('country = "FR"', 'country = "France"', "city lyon, country: found France"),
        ("longitude = 4.836", 'longitude = "east"', "city lyon, longitude: found east"),
        ("openaq:", "openaq ", "city lyon, stations.0: found openaq Lyon Centre"),
        ("[[city]]", "[[city]", "a TOML file of regions and cities"),
        ("[[city]]", '[[region]]\nid = "x"\nname_en = "X"\ncountry = "FR"\nkind = "citty"\ncities = ["lyon"]\n[[city]]',
         r'region x, kind: found citty; .*did you mean "city"\?'),
        ("[[city]]", '[[region]]\nid = "x"\nname_en = "X"\ncountry = "FR"\nkind = "city"\ncities = ["lyonn"]\n[[city]]',
         r'region x, cities: found lyonn; .*did you mean "lyon"\?'),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_what_was_meant(tmp_path, old, new, message) -> None:
    assert old in LYON
    with pytest.raises(InputError, match=message):
        own_registry(folder_of(tmp_path, mine_toml=LYON.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id,name_en,latitud\n", r'hebei.csv: column: found latitud; .*did you mean "latitude"\?'),
        (TABLE + "x,X,CN\n", "hebei.csv: line 4: found .*expected one for each column"),
        (TABLE.replace("39.5", "north"), "hebei.csv: city langfang, latitude: found north"),
        (TABLE + TABLE.splitlines()[1] + "\n", "hebei.csv: city handan, id"),
    ],
)
def test_mistakes_in_a_table_are_named(tmp_path, table, message) -> None:
    with pytest.raises(InputError, match=message):
        own_registry(folder_of(tmp_path, hebei_csv=table))


def test_two_cities_at_one_place_are_refused(tmp_path) -> None:
    with pytest.raises(
        InputError, match=r"city lugdunum, latitude and longitude: found 45.764, 4.836; expected not those of lyon"
    ):
        own_registry(folder_of(tmp_path, one_toml=LYON, two_toml=LYON.replace('"lyon"', '"lugdunum"')))


def test_one_city_in_two_files_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="two.toml: city lyon, id"):
        own_registry(folder_of(tmp_path, one_toml=LYON, two_toml=LYON))


def test_the_box_of_the_weather_follows_the_cities() -> None:
    beijing = load_registry().city("beijing")

    def at(latitude: float, longitude: float):
        return beijing.model_copy(update={"latitude": latitude, "longitude": longitude})

    assert box_around(tuple(load_registry().cities.values())) == EAST_ASIA
    box = box_around([at(-33.9, 151.2), at(-37.8, 145.0)])
    assert box.south < -37.8 < -33.9 < box.north and box.west < 145.0 < 151.2 < box.east
    # Too far apart for a box, and at the line where longitudes end.
    assert box_around([at(45.8, 4.8), at(-12.0, -77.0)]) is None and box_around([at(-18.1, 178.4)]) is None
