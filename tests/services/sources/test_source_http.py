"""The HTTP client of the sources against a server that fails on demand."""

from __future__ import annotations

import dataclasses
import gzip
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hazecast.grids.errors import InputError
from hazecast.services.sources import http
from hazecast.services.sources.errors import ContentError, FetchError
from hazecast.services.sources.http import HttpClient
from tests.support.certificates import certificate
from tests.support.source_server import IMPATIENT, QUICK, Reply, Seen, SourceServer, json_reply

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def client(request):
    with HttpClient(IMPATIENT if "hang" in request.node.name else QUICK) as made:
        yield made


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 500},
        {"status": 429, "retry_after": "0"},
        {"status": 429},
        {"status": 429, "retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"},
        {"hang": 0.6},
        {"keep": 0.5},
        {"keep": 0.0},
    ],
    ids=str,
)
def test_passing_faults_are_tried_again(client, source_server, tmp_path, fault) -> None:
    url = source_server.file("/f.grib2", CONTENT)
    source_server.fail(**fault, times=2)
    assert client.download(url, tmp_path / "f.grib2").read_bytes() == CONTENT
    assert client.traffic.retries == 2 and len(source_server.requests) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["f.grib2"]


@pytest.mark.parametrize(
    ("fault", "expected", "requests"),
    [
        ({"status": 503}, "HTTP 503", 3),
        ({"status": 404}, "HTTP 404", 1),
        ({"status": 401}, "HTTP 401: refused", 1),
        ({"status": 429, "retry_after": "86400"}, "HTTP 429, to be asked again in 86400 s", 1),
        ({"hang": 0.6}, "ReadTimeout", 5),
        ({"keep": 0.0}, "RemoteProtocolError", 3),
    ],
    ids=str,
)
def test_lasting_faults_name_address_and_status(client, source_server, tmp_path, fault, expected, requests) -> None:
    url = source_server.file("/f.grib2", CONTENT)
    source_server.fail(**fault, times=9)
    with pytest.raises(FetchError, match="f.grib2: found") as caught:
        client.download(url, tmp_path / "f.grib2")
    assert expected in str(caught.value) and caught.value.status == fault.get("status")
    assert len(source_server.requests) == requests
    assert not (tmp_path / "f.grib2").exists()


def test_retry_after_is_what_is_waited(source_server) -> None:
    source_server.route("/", lambda seen: json_reply({}))
    source_server.fail(status=429, retry_after="1")
    start = time.monotonic()
    with HttpClient(QUICK) as client:
        client.json(source_server.url + "/")
    assert time.monotonic() - start >= 1.0


def test_a_long_query_hides_no_error(source_server, client) -> None:
    with pytest.raises(FetchError) as caught:
        client.json(source_server.url + "/none", params={"latitude": ",".join(["39.9"] * 500)})
    assert len(str(caught.value)) < 350 and "found HTTP 404" in str(caught.value) and len(caught.value.url) > 2000


def test_a_server_that_is_down_is_named(source_server, client) -> None:
    source_server.stop()
    with pytest.raises(FetchError, match="ConnectError"):
        client.json(source_server.url + "/x")


def test_a_broken_download_goes_on_where_it_stopped(source_server, tmp_path) -> None:
    url, path = source_server.file("/f.grib2", CONTENT), tmp_path / "f.grib2"
    source_server.fail(keep=0.6)
    once = dataclasses.replace(QUICK, attempts=1)
    with HttpClient(once) as first, pytest.raises(FetchError):
        first.download(url, path)
    assert not path.exists() and 0 < (tmp_path / "f.grib2.part").stat().st_size < len(CONTENT)
    with HttpClient(once) as second:
        assert second.download(url, path).read_bytes() == CONTENT
        assert second.traffic.bytes_read < len(CONTENT) / 2
        second.download(url, path)
    assert len(source_server.requests) == 2
    assert source_server.requests[1].headers["range"].startswith("bytes=6")


def test_a_file_that_changed_meanwhile_is_fetched_again(source_server, tmp_path, closed_after) -> None:
    path, later = tmp_path / "f", CONTENT[::-1]
    for ranges, expected in ((None, later), ([(10, 2000), (3000, 5000)], later[10:2001] + later[3000:5001])):
        url = source_server.file("/f", CONTENT)
        source_server.fail(keep=0.6)
        once = closed_after(HttpClient(dataclasses.replace(QUICK, attempts=1)))
        with pytest.raises(FetchError):
            once.download(url, path, ranges=ranges)
        source_server.file("/f", later)
        assert closed_after(HttpClient(QUICK)).download(url, path, ranges=ranges).read_bytes() == expected
        path.unlink()


RANGES = st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 1_200)), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RANGES, st.lists(st.floats(0.0, 1.0), max_size=2), st.booleans())
def test_ranges_come_joined_however_often_the_line_breaks(
    source_server: SourceServer, tmp_path: Path, ranges, breaks, is_open
) -> None:
    wanted: list[tuple[int, int | None]] = [(start, start + length - 1) for start, length in ranges]
    if is_open:
        wanted[-1] = (wanted[-1][0], None)
    url, path = source_server.file("/f", CONTENT), tmp_path / "joined"
    path.unlink(missing_ok=True)
    source_server.faults.clear()
    for share in breaks:
        source_server.fail(keep=share)
    with HttpClient(QUICK) as client:
        got = client.download(url, path, ranges=wanted).read_bytes()
    assert got == b"".join(CONTENT[s : None if e is None else e + 1] for s, e in wanted)


def test_a_damaged_file_is_thrown_away_and_fetched_again(source_server, client, tmp_path) -> None:
    url = source_server.file("/f", CONTENT)

    def verify(path: Path) -> None:
        if path.read_bytes() != CONTENT:
            raise InputError(path.name, "damaged", "the content")

    source_server.fail(flip=0.5)
    assert client.download(url, tmp_path / "f", verify=verify).read_bytes() == CONTENT
    source_server.fail(flip=0.5, times=9)
    with pytest.raises(ContentError, match="damaged"):
        client.download(url, tmp_path / "g", verify=verify)
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_server_without_ranges_is_an_error_not_a_wrong_file(source_server, client, tmp_path) -> None:
    source_server.route("/f", lambda seen: Reply(CONTENT))
    with pytest.raises(ContentError, match="found the whole file"):
        client.download(source_server.url + "/f", tmp_path / "f", ranges=[(0, 9)])


def test_a_page_in_place_of_a_range_or_a_file_is_said(source_server, client, tmp_path) -> None:
    source_server.route("/login", lambda seen: Reply(b"\n<!DOCTYPE html><html>Log in", content_type="text/html"))
    source_server.route("/f", lambda seen: Reply(b"", 302, headers={"Location": "/login"}))

    def verify(path) -> None:
        raise InputError(path.name, "something else", "data")

    for ranges in ([(0, 9)], None):
        with pytest.raises(ContentError, match="/f: found an HTML page; expected"):
            client.download(source_server.url + "/f", tmp_path / "f", ranges=ranges, verify=verify)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "packed", [gzip.compress(CONTENT)[:-9], gzip.compress(CONTENT[:9]) + gzip.compress(CONTENT[9:])]
)
def test_a_packed_answer_that_does_not_end_where_it_should_is_no_answer(
    source_server, client, tmp_path, packed
) -> None:
    whole = gzip.compress(CONTENT)
    answers = iter([packed, whole, packed, whole])
    source_server.route("/f", lambda seen: Reply(next(answers), 200, "text/csv", {"Content-Encoding": "gzip"}))
    assert client.request("GET", source_server.url + "/f").content == CONTENT and client.traffic.retries == 1
    assert client.download(source_server.url + "/f", tmp_path / "f").read_bytes() == CONTENT
    assert client.traffic.retries == 2


def test_ranges_of_a_file_whose_length_is_not_said(source_server, client, tmp_path) -> None:
    def reply(seen: Seen) -> Reply:
        first, _, last = seen.headers["range"].removeprefix("bytes=").partition("-")
        start, end = int(first), int(last) if last else len(CONTENT) - 1
        return Reply(CONTENT[start : end + 1], 206, headers={"Content-Range": f"bytes {start}-{end}/*", "ETag": '"x"'})

    source_server.route("/f", reply)
    got = client.download(source_server.url + "/f", tmp_path / "f", ranges=[(0, 9), (9_500, None)]).read_bytes()
    assert got == CONTENT[:10] + CONTENT[9_500:]


def test_html_in_place_of_data_is_said(source_server, client) -> None:
    page = b"\xef\xbb\xbf\n<!DOCTYPE html><html></html>"
    source_server.route("/typed", lambda seen: Reply(b"x", content_type="text/html"))
    source_server.route("/bare", lambda seen: Reply(page, content_type="text/csv"))
    for path in ("/typed", "/bare"):
        with pytest.raises(ContentError, match=f"{path}: found an HTML page; expected the hour's CSV"):
            client.text(source_server.url + path, expected="the hour's CSV")
        with pytest.raises(ContentError, match="found an HTML page; expected JSON"):
            client.json(source_server.url + path)
    assert len(source_server.requests) == 4


def test_broken_json_is_tried_again_and_then_quoted(source_server, client) -> None:
    source_server.route("/", lambda seen: json_reply({"a": 1}))
    source_server.fail(body=b'{"a": ', content_type="application/json")
    assert client.json(source_server.url + "/") == {"a": 1}
    source_server.fail(body=b'{"a": ', content_type="application/json", times=9)
    with pytest.raises(ContentError, match="found '{\"a\": '; expected JSON"):
        client.json(source_server.url + "/")


def test_keys_never_show(source_server) -> None:
    source_server.route("/", lambda seen: Reply(f"unknown key {seen.query['key']}".encode(), 403, "text/plain"))
    with HttpClient(QUICK, secrets=("s3cret",)) as client, pytest.raises(FetchError) as caught:
        client.json(source_server.url + "/", params={"key": "s3cret"})
    assert "unknown key ***" in str(caught.value) and "s3cret" not in str(caught.value)


def test_text_in_another_encoding_is_said(source_server, client) -> None:
    source_server.route("/", lambda seen: Reply("測定局".encode("cp932"), content_type="text/csv"))
    assert client.text(source_server.url + "/", encoding="cp932") == "測定局"
    with pytest.raises(ContentError, match="CSV in utf-8"):
        client.text(source_server.url + "/")


def test_existence_by_header(source_server, client) -> None:
    url = source_server.file("/f", CONTENT)
    assert client.exists(url) and not client.exists(url + "2")
    assert {seen.method for seen in source_server.requests} == {"HEAD"}
    source_server.fail(status=503, times=9)
    with pytest.raises(FetchError, match="503"):
        client.exists(url)


def test_a_certificate_that_cannot_be_trusted_is_no_passing_fault(tmp_path, closed_after) -> None:
    chain, key = certificate(tmp_path, "localhost")
    server = SourceServer((chain, key))
    address = server.file("/list", b"[]")
    client = closed_after(HttpClient(QUICK))
    with pytest.raises(FetchError, match="a certificate that can't be trusted") as refused:
        client.request("GET", address)
    assert not refused.value.transient and client.traffic.retries == 0
    assert closed_after(HttpClient(QUICK, ca_file=chain)).json(address) == []
    server.stop()
    with pytest.raises(InputError, match="a PEM file of certificates"):
        HttpClient(QUICK, ca_file=tmp_path / "absent.pem")


def test_an_answer_that_unpacks_to_more_than_memory_is_refused(client, source_server, monkeypatch) -> None:
    monkeypatch.setattr(http, "_LARGEST_ANSWER", 1_000_000)
    bomb = gzip.compress(bytes(20_000_000), 9)
    address = source_server.route("/bomb", lambda _: Reply(bomb, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(FetchError, match="more than 1000000 bytes"):
        client.json(address)
