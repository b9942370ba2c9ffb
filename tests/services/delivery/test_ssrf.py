"""Webhooks to addresses that are none of a subscriber's: each attempt against a real server that must not be reached."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from hazecast.grids.errors import InputError
from hazecast.services.delivery.channel import Message
from hazecast.services.delivery.targets import TargetPolicy, check_target, is_public, parse_target
from hazecast.services.delivery.webhook import WebhookChannel, new_secret
from hazecast.services.store.tables.delivery import Subscription
from tests.support.certificates import certificate
from tests.support.receivers import Receiver, receiving
from tests.support.settings import changed, make_settings

NOW = datetime(2026, 1, 15, 22, tzinfo=UTC)
MESSAGE = Message("msg_1", "event", "warning.issue", NOW, False, "batch", {}, '{"id":"msg_1"}')


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def subscription(target: str) -> Subscription:
    return Subscription(target=target, secret=new_secret(), code="code", previous_secret=None)


def channel(receiver: Receiver, resolve=None, **given) -> WebhookChannel:
    """A channel that may use the receiver's port, so that only the address can be refused."""
    settings = make_settings(webhook_http=True, webhook_ports=(receiver.port,), webhook_timeout_seconds=5.0, **given)
    return WebhookChannel(settings, resolve)


def names(**known: Sequence[str]):
    def resolve(host: str, _: int) -> Sequence[str]:
        return known[host.replace(".", "_")]

    return resolve


# Each is tried twice: when it is given, and when it is connected to.
HOSTS = {
    "loopback": "127.0.0.1",
    "loopback, another of its addresses": "127.13.37.1",
    "loopback by name": "localhost",
    "loopback by name, with a dot": "localhost.",
    "loopback as one number": "2130706433",
    "loopback in octal": "0177.0.0.1",
    "loopback in hexadecimal": "0x7f000001",
    "loopback in hexadecimal parts": "0x7f.0.0.1",
    "loopback, short": "127.1",
    "this host": "0.0.0.0",  # noqa: S104
    "this host as one number": "0",
    "IPv6 loopback": "[::1]",
    "IPv6 loopback, in full": "[0:0:0:0:0:0:0:1]",
    "IPv6, any": "[::]",
    "IPv4 mapped into IPv6": "[::ffff:127.0.0.1]",
    "IPv4 mapped into IPv6, hexadecimal": "[::ffff:7f00:1]",
    "IPv4-compatible IPv6": "[::127.0.0.1]",
    "NAT64 of loopback": "[64:ff9b::7f00:1]",
    "local NAT64": "[64:ff9b:1::7f00:1]",
    "6to4 of loopback": "[2002:7f00:1::1]",
    "Teredo": "[2001:0:7f00:1::1]",
    "IPv6 link-local": "[fe80::1]",
    "IPv6 link-local with a zone": "[fe80::1%25lo]",
    "IPv6 unique local": "[fd00::1]",
    "IPv6 site-local": "[fec0::1]",
    "IPv6 multicast": "[ff02::1]",
    "metadata service": "169.254.169.254",
    "metadata service, IPv6": "[fd00:ec2::254]",
    "metadata service, as one number": "2852039166",
    "metadata service, shared address": "100.100.100.200",
    "Azure's wire server": "168.63.129.16",
    "private, 10": "10.0.0.1",
    "private, 172.16": "172.16.0.1",
    "private, 192.168": "192.168.0.1",
    "shared addresses (CGNAT)": "100.64.0.1",
    "broadcast": "255.255.255.255",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "benchmarks": "198.18.0.1",
    "percent-encoded": "%31%32%37.0.0.1",
    "letters in circles": "①②⑦.⓪.⓪.①",
    "ideographic dots": "127。0。0。1",
}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_no_address_inside_is_reached(host) -> None:
    with receiving("0.0.0.0") as outside:  # noqa: S104
        url = f"http://{host}:{outside.port}/latest/meta-data"
        policy = TargetPolicy((outside.port,), True)
        with pytest.raises(InputError, match="target"):
            check_target(url, policy)
        assert channel(outside).send(subscription(url), [MESSAGE], NOW).kind == "failed"
        assert outside.connections == 0


URLS = {
    "another scheme": "file:///etc/passwd",
    "gopher": "gopher://hooks.example/_SET",
    "no scheme": "//hooks.example/x",
    "no host": "https:///x",
    "user and password": "https://user:secret@hooks.example/x",
    "user that looks like a host": "https://hooks.example@127.0.0.1/x",
    "backslash before the host": "https://hooks.example\\@127.0.0.1/x",
    "fragment": "https://hooks.example/x#@127.0.0.1",
    "empty fragment": "https://hooks.example/x#",
    "line break in the path": "https://hooks.example/x\r\nHost: inside",
    "line feed in the host": "https://hooks.example\n.inside/x",
    "tab": "https://hooks\t.example/x",
    "space": "https://hooks.example/a b",
    "null": "https://hooks.example/\x00",
    "port of SSH": "https://hooks.example:22/x",
    "port of a database": "https://hooks.example:5432/x",
    "port 0": "https://hooks.example:0/x",
    "port beyond all": "https://hooks.example:99999/x",
    "port in words": "https://hooks.example:https/x",
    "plain HTTP": "http://hooks.example/x",
    "two hosts": "https://hooks.example,inside/x",
    "broken brackets": "https://[::1/x",
    "brackets around a name": "https://[hooks.example]/x",
    "too long": "https://hooks.example/" + "x" * 3_000,
    "empty": "",
}


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_addresses_that_no_webhook_has_are_refused(url) -> None:
    with pytest.raises(InputError, match="target"):
        parse_target(url, TargetPolicy())


@pytest.mark.parametrize("url", ["https://hooks.example/a?b=c", "https://hooks.example:8443", "https://1.1.1.1/x",
                                 "https://[2606:4700:4700::1111]/x", "https://xn--fiq228c.example/x"])  # fmt: skip
def test_addresses_of_the_public_internet_are_taken(url) -> None:
    host = parse_target(url, TargetPolicy()).host
    assert check_target(url, TargetPolicy(), lambda *_: ["1.1.1.1"]).host == host


def test_names_that_resolve_inside_are_refused_whole(receiver) -> None:
    for found in (["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::1"], ["1.1.1.1", "::ffff:10.0.0.1"], []):
        resolve = names(inside_example=found)
        url = f"http://inside.example:{receiver.port}/x"
        with pytest.raises(InputError) as refused:
            check_target(url, TargetPolicy((receiver.port,), True), resolve)
        assert not any(address in str(refused.value) for address in found)
        outcome = channel(receiver, resolve).send(subscription(url), [MESSAGE], NOW)
        assert outcome.kind == "failed" and "inside.example" in str(outcome.error)
        assert not any(address in str(outcome.error) for address in found)
    assert receiver.connections == 0


def test_a_name_that_changes_between_check_and_use_gains_nothing(receiver) -> None:
    answers = iter([["1.1.1.1"], ["127.0.0.1"], ["127.0.0.1"]])
    asked = []

    def rebinding(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    url = f"http://rebinding.example:{receiver.port}/x"
    check_target(url, TargetPolicy((receiver.port,), True), rebinding)
    outcome = channel(receiver, rebinding).send(subscription(url), [MESSAGE], NOW)
    assert outcome.kind == "failed" and "all public" in str(outcome.error)
    # One lookup for the check and one for the connection, which connects to what that one gave.
    assert asked == ["rebinding.example"] * 2 and receiver.connections == 0


def test_the_checked_address_is_the_one_connected_to(receiver) -> None:
    asked = []

    def resolve(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    url = f"http://hooks.example:{receiver.port}/x?y=1"
    sender = channel(receiver, resolve, webhook_networks=("127.0.0.0/8",))
    assert sender.send(subscription(url), [MESSAGE], NOW).kind == "delivered"
    assert asked == ["hooks.example"]
    ((headers, body),) = receiver.requests
    assert headers["host"] == f"hooks.example:{receiver.port}" and body == MESSAGE.body.encode()


def test_redirects_are_not_followed(receiver) -> None:
    with receiving() as inside:
        receiver.answer = lambda *_: (302, {"Location": inside.url}, b"")
        sender = channel(receiver, webhook_networks=("127.0.0.0/8",))
        outcome = sender.send(subscription(receiver.url), [MESSAGE], NOW)
        assert (outcome.kind, outcome.status) == ("failed", 302) and inside.connections == 0


def test_slow_and_endless_answers_are_cut_off(receiver) -> None:
    settings = make_settings(
        webhook_http=True, webhook_ports=(receiver.port,), webhook_networks=("127.0.0.0/8",),
        webhook_timeout_seconds=0.4,
    )  # fmt: skip
    receiver.answer, receiver.trickle = lambda *_: (200, {}, b"x" * 4_000), 0.01
    started = time.monotonic()
    outcome = WebhookChannel(settings).send(subscription(receiver.url), [MESSAGE], NOW)
    # A byte at a time keeps every single read short: it is the whole that is timed.
    assert outcome.kind == "failed" and "ReadTimeout" in str(outcome.error) and time.monotonic() - started < 20.0
    receiver.answer, receiver.trickle = lambda *_: (200, {}, b"x" * 50_000_000), 0.0
    outcome = WebhookChannel(changed(settings, webhook_timeout_seconds=20.0)).send(
        subscription(receiver.url), [MESSAGE], NOW
    )
    assert outcome.kind == "delivered"


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait"),
    [
        (200, {}, "delivered", None),
        (202, {}, "delivered", None),
        (301, {}, "failed", None),
        (400, {}, "refused", None),
        (404, {}, "failed", None),
        (410, {}, "gone", None),
        (422, {}, "refused", None),
        (429, {"Retry-After": "120"}, "failed", 120.0),
        (500, {}, "failed", None),
        (503, {"Retry-After": "Thu, 15 Jan 2026 22:01:00 GMT"}, "failed", 60.0),
        (503, {"Retry-After": "soon"}, "failed", None),
    ],
)
def test_answers_are_understood(receiver, status, headers, kind, wait) -> None:
    receiver.answer = lambda *_: (status, headers, b"")
    outcome = channel(receiver, webhook_networks=("127.0.0.0/8",)).send(subscription(receiver.url), [MESSAGE], NOW)
    assert (outcome.kind, outcome.status, outcome.retry_after) == (kind, status, wait)


def test_signatures_are_those_of_standard_webhooks_through_a_rotation(receiver) -> None:
    sender = channel(receiver, webhook_networks=("127.0.0.0/8",))
    row = subscription(receiver.url)
    row.previous_secret, row.previous_secret_until = row.secret, datetime.now(UTC) + dt.timedelta(hours=1)
    row.secret = new_secret()
    sender.send(row, [MESSAGE], datetime.now(UTC))
    ((headers, body),) = receiver.requests
    for secret in (row.secret, row.previous_secret):
        assert Webhook(secret).verify(body, headers) == {"id": "msg_1"}
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(row.secret).verify(body + b" ", headers)
    row.previous_secret_until = datetime.now(UTC)
    sender.send(row, [MESSAGE], datetime.now(UTC))
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(row.previous_secret).verify(*reversed(receiver.requests[1]))


def test_certificates_are_checked_for_the_name_not_the_address(tmp_path) -> None:
    chain, key = certificate(tmp_path, "hooks.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with receiving(tls=context) as receiver:
        given = {"webhook_networks": ("127.0.0.0/8",), "webhook_ca_file": chain}
        resolve = names(hooks_example=["127.0.0.1"], other_example=["127.0.0.1"])
        good = channel(receiver, resolve, **given).send(
            subscription(f"https://hooks.example:{receiver.port}/x"), [MESSAGE], NOW
        )
        assert good.kind == "delivered"
        for url, settings in (("other.example", given), ("hooks.example", given | {"webhook_ca_file": None})):
            outcome = channel(receiver, resolve, **settings).send(
                subscription(f"https://{url}:{receiver.port}/x"), [MESSAGE], NOW
            )
            assert outcome.kind == "failed" and "certificate" in str(outcome.error).lower()
        assert len(receiver.requests) == 1


@given(st.ip_addresses(v=4))
def test_no_form_of_an_address_is_more_public_than_the_address(address) -> None:
    public = is_public(address)
    assert is_public(ipaddress.IPv6Address(f"::ffff:{address}")) == public
    assert is_public(ipaddress.IPv6Address(f"64:ff9b::{address}")) == public
    assert not public or not (address.is_private or address.is_loopback or address.is_link_local)
    assert not is_public(ipaddress.IPv6Address(int(address)))


@given(st.text(max_size=60) | st.from_regex(r"https?://[\x20-\x7e]{0,40}", fullmatch=True))
def test_any_text_is_parsed_or_refused(url) -> None:
    try:
        target = parse_target(url, TargetPolicy(http=True, ports=(80, 443)))
    except InputError:
        return
    assert target.port in (80, 443) and target.host and not set("\r\n @\\") & set(target.host + target.path)
