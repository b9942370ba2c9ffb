"""The client without the server: its distribution has what it imports, and both clients read alike."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import anyio
import httpx
import pytest

from hazecast.services.client import AsyncClient, Change, Client, NewSubscription, RefusedError, UnavailableError
from tests.support.paths import ROOT

PROJECT = ROOT / "deploy" / "client"
LISTED = tomllib.loads((PROJECT / "pyproject.toml").read_text())
MODULES = LISTED["tool"]["setuptools"]["py-modules"]
# What may be imported with it: its dependencies and theirs.
ALONE = """
import sys
allowed = set(sys.stdlib_module_names) | {
    "hazecast", "httpx", "httpcore", "h11", "anyio", "sniffio", "certifi", "idna", "pydantic", "pydantic_core", "annotated_types",
    "typing_extensions", "typing_inspection", "stamina", "tenacity",
}
class Only:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed and not name.startswith("_sysconfigdata"):
            raise ImportError(name)
sys.meta_path.insert(0, Only())
import hazecast
from hazecast.services.client import AsyncClient, Change, Client, NewSubscription
print(hazecast.__file__)
with Client("http://nowhere.example") as client:
    print(client.forecast.__name__)
"""
READY = {"status": "ready", "init_time": "2013-01-11T22:00:00Z", "age_hours": 1, "simulated": False, "checks": []}
CYCLE = {
    "id": 1, "init_time": None, "simulated": False, "status": "done", "started_at": "2013-01-11T22:00:00Z",
    "finished_at": None, "failed": False,
}  # fmt: skip


def imported_from(folder: Path) -> str:
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{ALONE}"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_listed_is_all_that_the_client_imports(tmp_path) -> None:
    for name in ["hazecast.__init__", *MODULES]:
        source = ROOT / "src" / Path(*name.split(".")).with_suffix(".py")
        target = tmp_path / source.relative_to(ROOT / "src")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    assert imported_from(tmp_path).split() == [str(tmp_path / "hazecast" / "__init__.py"), "forecast"]


@pytest.mark.slow
@pytest.mark.slowest
def test_the_wheel_installs_and_imports_without_the_server(tmp_path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    tree = tmp_path / "tree"
    # A copy, since setuptools writes beside the sources; `src` has links to the rooms.
    shutil.copytree(
        ROOT / "src", tree / "src", symlinks=False, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    shutil.copytree(PROJECT, tree / "deploy" / "client", ignore=shutil.ignore_patterns("__pycache__"))
    wheels = tmp_path / "wheels"
    project = str(tree / "deploy" / "client")
    subprocess.run(
        [*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", str(wheels), project], check=True, timeout=300
    )
    (wheel,) = wheels.glob("hazecast_client-*.whl")
    folder = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder), str(wheel)], check=True, timeout=300)
    assert imported_from(folder).split()[0] == str(folder / "hazecast" / "__init__.py")
    assert (folder / "hazecast" / "py.typed").exists()


def test_both_clients_have_the_same_methods() -> None:
    def shapes(client: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(client, inspect.isfunction)
        return {name: list(inspect.signature(method).parameters) for name, method in methods if name[0] != "_"}

    assert shapes(Client) == shapes(AsyncClient)


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the API does, for both clients."""
    if request.url.path == "/v1/readyz":
        unchanged = request.headers.get("if-none-match") == '"1"'
        return httpx.Response(304) if unchanged else httpx.Response(200, json=READY, headers={"ETag": '"1"'})
    if request.url.path == "/v1/cycles":
        second = request.url.params.get("cursor") == "two"
        return httpx.Response(
            200, json={"items": [CYCLE | {"id": 2 if second else 1}], "next": None if second else "two"}
        )
    if request.method == "PATCH":
        return httpx.Response(
            409, json={"type": "x", "title": "Conflict", "status": 409, "detail": json.loads(request.content)["state"]}
        )
    return httpx.Response(503, headers={"Retry-After": "0"})


def test_both_clients_read_alike() -> None:
    calls: list[str] = []

    def counted(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        return answer(request)

    with Client("http://haze.example", transport=httpx.MockTransport(counted), attempts=3) as client:
        assert client.ready() == client.ready()
        assert [cycle.id for cycle in client.cycles()] == [1, 2]
        with pytest.raises(RefusedError, match="paused"):
            client.change_subscription("sub_1", Change(state="paused"))
        del calls[:]
        with pytest.raises(UnavailableError):
            client.areas()
        assert len(calls) == 3
        del calls[:]
        with pytest.raises(UnavailableError):
            client.subscribe(NewSubscription(name="desk", channel="stream"))
        # A request that changes something is sent once.
        assert calls == ["POST"]

    async def read() -> None:
        async with AsyncClient("http://haze.example", transport=httpx.MockTransport(counted), attempts=3) as client:
            assert await client.ready() == await client.ready()
            assert [cycle.id async for cycle in client.cycles()] == [1, 2]
            with pytest.raises(RefusedError, match="paused"):
                await client.change_subscription("sub_1", Change(state="paused"))
            del calls[:]
            with pytest.raises(UnavailableError):
                await client.areas()
            assert len(calls) == 3

    anyio.run(read)
