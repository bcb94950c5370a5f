"""What the drop-in's tests share: a server, a manager whose channels it has, and the two ways to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync import client

from tests.adapter.upstream import upstream
from tests.processes import Wscli
from tests.transport.certificates import Certificates, certificates
from wscli.adapter import attach, fallback

CONFIG = """\
version: 1
name: {name}
endpoints:
  plain: {{url: "ws://127.0.0.1:{plain}", connect: {{rate: 1000/s}}, verdicts: {{1000: done, 4000-4999: stop}}}}
  secure: {{url: "wss://localhost:{secure}", connect: {{rate: 1000/s}}, tls: {{ca: "{ca}"}}}}
backoff:
  default: {{initial: 1ms, max: 10ms, reset_after: 1ms}}
channels:
  hello/{{id}}: {{endpoint: plain, path: "/hello/{{id}}"}}
  echo/{{id}}: {{endpoint: plain, path: "/echo/{{id}}"}}
  flaky/{{id}}: {{endpoint: plain, path: "/flaky/{{id}}"}}
  end/{{code}}/{{id}}: {{endpoint: plain, path: "/end/{{code}}/{{id}}"}}
  pieces/{{id}}: {{endpoint: plain, path: "/pieces/{{id}}"}}
  chat/{{id}}: {{endpoint: plain, path: "/chat/{{id}}", subprotocols: [chat.v2]}}
  secure/{{id}}: {{endpoint: secure, path: "/echo/{{id}}"}}
"""

collect_ignore = [] if hasattr(client, "reconnect") else ["test_reconnecting.py", "test_websockets_tests.py"]
"""What a version of `websockets` before 17.1 does not have."""

Address = Callable[[str], str]
"""From a path to a URL that nobody else uses."""


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def plain_port() -> Iterator[int]:
    with upstream() as port:
        yield port


@pytest.fixture(scope="session")
def secure_port(certs: Certificates) -> Iterator[int]:
    with upstream(certs.serving(certs.good)) as port:
        yield port


@pytest.fixture(scope="session")
def managed(plain_port: int, secure_port: int, certs: Certificates) -> Iterator[Wscli]:
    """A real manager that has all channels; ``managed.runtime`` is where it is found."""
    text = CONFIG.format(name="app", plain=plain_port, secure=secure_port, ca=certs.ca)
    with Wscli() as command, command.up(text):
        yield command


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a manager, or a warning, of another."""
    monkeypatch.setattr(fallback, "_told", False)
    monkeypatch.chdir(tmp_path)
    for name in ("WSCLI_INSTANCE", "WSCLI_FALLBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(tmp_path / "nobody"))
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager on a slow machine gets its time to answer."""
    monkeypatch.setattr(attach, "ATTACH_PATIENCE", 60.0)


@pytest.fixture(params=["through the manager", "without it"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, patient: None) -> str:
    """Each way in turn; through the manager nothing may fall back, and without it everything does."""
    if request.param == "through the manager":
        managed: Wscli = request.getfixturevalue("managed")
        monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(managed.runtime))
        monkeypatch.setenv("WSCLI_FALLBACK", "error")
    return str(request.param)


_numbers = itertools.count()


@pytest.fixture
def url(way: str, plain_port: int) -> Address:
    """The address of a path, on the way that is tested."""
    return lambda path: f"ws://127.0.0.1:{plain_port}/{path}/{next(_numbers)}"


@pytest.fixture
def secure_url(way: str, secure_port: int) -> str:
    return f"wss://localhost:{secure_port}/echo/{next(_numbers)}"
