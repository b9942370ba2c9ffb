"""Which addresses webhooks may be sent to: none inside this service's own network, however it is written or resolved.

The name is resolved when the connection is made, and the address that was checked is the one connected to: a name
server that answers differently between check and use (DNS rebinding) gains nothing. Threats after OWASP,
"Server-Side Request Forgery Prevention Cheat Sheet".
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore
from email_validator import EmailNotValidError, validate_email

from hazecast.grids.errors import InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]

_MAX_LENGTH = 2_048
_NAME = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")
# A last label that C libraries read as a number makes a name an IPv4 address: 0x7f000001, 127.1, 0177.0.0.1.
_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)")
_PORTS = {"http": 80, "https": 443}
# RFC 6052: IPv4 behind a translator of the network's own (NAT64).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# IANA: all global unicast addresses of IPv6. Refused within it are tunnels that carry an IPv4 address of anyone's
# choice (RFC 3056 6to4, RFC 4380 Teredo) and addresses for documentation (RFC 9637).
_IPV6_UNICAST = ipaddress.IPv6Network("2000::/3")
_IPV6_REFUSED = tuple(map(ipaddress.IPv6Network, ("2002::/16", "2001::/32", "3fff::/20")))
# Public by number, but answered by the cloud's own host (Microsoft Azure's "wire server").
_IPV4_REFUSED = (ipaddress.IPv4Network("168.63.129.16/32"),)


@dataclass(frozen=True)
class WebhookTarget:
    """The address of a webhook, parsed and checked; `host` is without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class TargetPolicy:
    """Which addresses webhooks may be sent to.

    Attributes
    ----------
    ports : tuple of int
    http : bool
        Whether plain HTTP is allowed.
    networks : tuple of Network
        Networks that are allowed though they are not public.
    """

    ports: tuple[int, ...] = (443, 8443)
    http: bool = False
    networks: tuple[Network, ...] = ()

    def allows(self, text: str) -> bool:
        """Return whether an address may be connected to."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self.networks) or is_public(address)


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public internet (IANA's special-purpose registries; see above)."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _IPV6_UNICAST or any(address in network for network in _IPV6_REFUSED):
            return False
    elif any(address in network for network in _IPV4_REFUSED):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def parse_target(url: str, policy: TargetPolicy) -> WebhookTarget:
    """Parse the address of a webhook, once, so that what is checked is what is used.

    Parameters
    ----------
    url : str
    policy : TargetPolicy

    Returns
    -------
    WebhookTarget

    Raises
    ------
    InputError
        If the policy refuses it, whatever its host name resolves to.
    """
    expected = f"an address https://name/path on port {' or '.join(map(str, policy.ports))}"
    shown = repr(url[:200])
    if len(url) > _MAX_LENGTH or not url.isascii() or re.search(r"[\x00-\x20\x7f\\^`{|}<>\"]", url):
        raise InputError("target", shown, f"{expected}, in ASCII without spaces, quotes or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError("target", shown, expected) from error
    schemes = ("https", "http") if policy.http else ("https",)
    if parts.scheme not in schemes or not parts.netloc:
        raise InputError("target", shown, expected)
    if "@" in parts.netloc or parts.fragment or "#" in url:
        raise InputError("target", shown, f"{expected}, without user, password or fragment")
    host = parts.hostname or ""
    if not (parts.netloc.startswith("[") and _is_ipv6(host)) and not _is_host_name(host):
        raise InputError("target: host", shown, "a name, or an address in its usual form")
    port = port if port is not None else _PORTS[parts.scheme]
    if port not in policy.ports:
        raise InputError("target: port", port, f"one of {', '.join(map(str, policy.ports))}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookTarget(parts.scheme, host, port, path)


def check_target(url: str, policy: TargetPolicy, resolve: Resolver | None = None) -> WebhookTarget:
    """Parse the address of a webhook, and check the addresses that its host name resolves to now.

    An early answer to the subscriber. What counts is the check when the connection is made.

    Parameters
    ----------
    url : str
    policy : TargetPolicy
    resolve : callable, optional
        Returns the addresses of a host name.

    Returns
    -------
    WebhookTarget

    Raises
    ------
    InputError
        If the policy refuses it. The error does not name the addresses found: they may be internal.
    """
    target = parse_target(url, policy)
    try:
        allowed_addresses(target.host, target.port, policy, resolve or resolve_name)
    except OSError as error:
        raise InputError("target: host", target.host, str(error)) from error
    return target


def normal_email_address(text: str) -> str:
    """Return an e-mail address in its normal form.

    Raises
    ------
    InputError
        If it isn't one (RFC 5321, without address literals and quoted names).
    """
    try:
        return validate_email(text, check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError as error:
        raise InputError("target", repr(text[:200]), "an e-mail address such as duty@bureau.example") from error


def resolve_name(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host name.

    Parameters
    ----------
    host : str
    port : int

    Returns
    -------
    sequence of str
        Each once, in the resolver's order.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def allowed_addresses(host: str, port: int, policy: TargetPolicy, resolve: Resolver) -> Sequence[str]:
    """Return the addresses of a host name, if all of them are allowed.

    Parameters
    ----------
    host : str
    port : int
    policy : TargetPolicy
    resolve : callable
        Returns the addresses of a host name.

    Returns
    -------
    sequence of str

    Raises
    ------
    OSError
        If there are none, or one of them is not allowed.
    """
    try:
        found = resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise OSError("a name that resolves") from error
    if not found:
        raise OSError("a name that resolves")
    if not all(policy.allows(address) for address in found):
        raise OSError("a name whose addresses are all public")
    return found


class CheckedBackend(httpcore.NetworkBackend):
    """A network backend of httpcore that connects to checked addresses only, until a deadline.

    Parameters
    ----------
    policy : TargetPolicy
    seconds : float
        From now to the deadline, for everything that is done through this backend.
    resolve : callable, optional
        Returns the addresses of a host name.
    """

    def __init__(self, policy: TargetPolicy, seconds: float, resolve: Resolver | None = None) -> None:
        self._policy, self._resolve = policy, resolve or resolve_name
        self._deadline = time.monotonic() + seconds
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that answers, if all of them are allowed.

        Parameters
        ----------
        host : str
        port : int
        timeout : float, optional
            Ignored: the deadline of the backend holds.
        local_address : str, optional
        socket_options : iterable, optional

        Returns
        -------
        httpcore.NetworkStream

        Raises
        ------
        httpcore.ConnectError
            If an address or the port is not allowed, or none answers.
        """
        try:
            addresses = allowed_addresses(host, port, self._policy, self._resolve)
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: expected {error}") from error
        if port not in self._policy.ports:
            raise httpcore.ConnectError(f"port {port} is not allowed")
        fault: Exception | None = None
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(
                    address, port, _remaining(self._deadline), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
            else:
                return _TimedStream(stream, self._deadline)
        raise fault or httpcore.ConnectError(host)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Refuse the connection: no webhook has such an address.

        Parameters
        ----------
        path : str
        timeout : float, optional
        socket_options : iterable, optional

        Returns
        -------
        httpcore.NetworkStream
            Never.

        Raises
        ------
        httpcore.ConnectError
            Always.
        """
        raise httpcore.ConnectError("no sockets of this machine")


class _TimedStream(httpcore.NetworkStream):
    """A stream that ends at a deadline, however slowly the other side goes on."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _remaining(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _remaining(self._deadline))
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _remaining(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0.0:
        raise httpcore.ReadTimeout("no answer in time")
    return seconds


def _is_ipv6(host: str) -> bool:
    try:
        # A zone ("fe80::1%eth0") names an interface of this machine.
        return "%" not in host and ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _is_host_name(host: str) -> bool:
    if not _NAME.fullmatch(host):
        return False
    if not _NUMBER.fullmatch(host.rstrip(".").rsplit(".", 1)[-1]):
        return True
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False
