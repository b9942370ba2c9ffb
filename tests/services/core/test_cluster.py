"""Dask in this process: what it opens is open to this machine alone."""

from __future__ import annotations

import psutil

from hazecast.services.core.cluster import dask_client


def listening() -> set[tuple[str, int]]:
    return {
        (one.laddr.ip, one.laddr.port) for one in psutil.Process().net_connections("inet") if one.status == "LISTEN"
    }


def test_no_port_is_open_to_the_network() -> None:
    before = listening()
    with dask_client(None) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        opened = listening() - before
        client.cluster.close()
    assert opened and {address for address, _ in opened} == {"127.0.0.1"}
