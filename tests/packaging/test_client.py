"""The distribution `wscli-client`: all that the drop-in and the Python API need, and nothing of the manager."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

from tests.adapter.upstream import upstream
from tests.processes import Wscli, wscli

__all__ = ["wscli"]

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "packaging/client/pyproject.toml").read_text())
MANAGER = tomllib.loads((ROOT / "pyproject.toml").read_text())
INCLUDED = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
NEEDED = {re.split("[>=<~]", one)[0]: one for one in PROJECT["project"]["dependencies"]}
OLDEST = re.findall(r">=([\d.]+)", NEEDED["websockets"])[0]

PROGRAM = """
import asyncio, importlib.util, sys
import websockets
from wscli import Client
from wscli.adapter import connect
from wscli.adapter.sync import connect as connect_sync

async def talk(url):
    async with connect(url) as websocket:
        await websocket.send("hello")
        return await websocket.recv()

def talk_sync(url):
    with connect_sync(url) as websocket:
        websocket.send("again")
        return websocket.recv()

print(websockets.__version__, importlib.util.find_spec("wscli.daemon"))
print(asyncio.run(talk(sys.argv[1])), talk_sync(sys.argv[1]))
print(Client().request("echo/x", "{}", raw_match=".").data)
"""


def reached() -> Iterator[str]:
    """Give every module of wscli that the drop-in or the API imports, and every one that it is in."""
    graph = grimp.build_graph("wscli", include_external_packages=True)
    seen: set[str] = set()
    todo = [name for name in graph.modules if name.startswith(("wscli.adapter", "wscli.client"))]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            yield name
            todo += graph.find_modules_directly_imported_by(name) if name.startswith("wscli") else []


def test_it_has_every_module_that_it_imports_and_needs_every_library() -> None:
    names = set(reached())
    ours = {tuple(name.split(".")[1:2]) for name in names if name.startswith("wscli.")}
    paths = {Path(target).parts[1].removesuffix(".py") for target in INCLUDED.values()}
    assert {one[0] for one in ours} | {"__init__", "py.typed", "LICENSE"} == paths
    libraries = {name for name in names if not name.startswith("wscli") and name not in sys.stdlib_module_names}
    assert {packages_distributions()[name][0] for name in libraries} == NEEDED.keys()


def test_what_it_shares_with_the_manager_is_said_alike() -> None:
    theirs = {re.split("[>=<~]", one)[0]: one for one in MANAGER["project"]["dependencies"]}
    assert NEEDED["jq"] == theirs["jq"]
    assert NEEDED["websockets"].partition(",")[2] == theirs["websockets"].partition(",")[2]
    for key in ("requires-python", "license"):
        assert PROJECT["project"][key] == MANAGER["project"][key]


def run(*command: str | Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env=env)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the distribution, as it was built, and the oldest websockets."""
    directory = tmp_path_factory.mktemp("client")
    env = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    project, found = ROOT / "packaging/client", directory / "venv/bin/python"
    for command in (
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", directory, project],
        [sys.executable, "-m", "venv", directory / "venv"],
    ):
        done = run(*command, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = directory.glob("*.whl")
    pip = [found, "-m", "pip", "install", "--disable-pip-version-check", wheel, f"websockets=={OLDEST}"]
    done = run(*pip, env=env)
    if done.returncode and not os.environ.get("WSCLI_REQUIRE_PEERS"):
        pytest.skip(f"pip cannot install websockets {OLDEST}: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def test_it_talks_to_a_manager_with_the_oldest_websockets(python: Path, wscli: Wscli) -> None:
    with upstream() as port:
        text = f"""
version: 1
endpoints: {{e: {{url: "ws://127.0.0.1:{port}"}}}}
channels:
  echo/{{id}}: {{endpoint: e, path: "/echo/{{id}}"}}
"""
        with wscli.up(text):
            done = run(python, "-P", "-W", "error", "-c", PROGRAM, f"ws://127.0.0.1:{port}/echo/x", env=wscli.env)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == [f"{OLDEST} None", "hello again", "{}"]
