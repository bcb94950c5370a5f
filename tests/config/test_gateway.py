"""The gateway's and the hooks' plans: what a file says is what the manager does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.conftest import Loads
from wscli.config.loading import load, read_plan
from wscli.config.models.gateway import GatewayAuth, GatewayPlan, Listen
from wscli.config.models.hooks import MessageHook, StateHook
from wscli.config.redact import redacted
from wscli.values import Secret, shown

FILE = """
endpoints: {{api: {{url: ws://h}}}}
channels:
  c: {{endpoint: api{channel}}}
{gateway}
"""


@pytest.fixture
def plan_of(loads: Loads):
    def plan(*, gateway: str = "", channel: str = ""):
        return loads(FILE.format(gateway=gateway, channel=channel), {"TOKEN": "from-the-environment"})

    return plan


def test_there_is_no_gateway_unless_declared(plan_of) -> None:
    assert plan_of().gateway is None
    defaults = GatewayPlan(listen=(Listen("127.0.0.1", 8787),), auth="none")
    assert plan_of(gateway="gateway: {auth: none}").gateway == defaults


def test_every_key(plan_of, tmp_path: Path) -> None:
    text = """gateway:
  listen: ["[::1]:0", "unix:run/gw.sock", "unix:/tmp/gw.sock"]
  auth: {token: "${TOKEN}"}
  origins: [HTTP://Localhost:3000, "null"]
  hosts: [Dev.Example.test]
  max_clients: 2
  max_message: 1KiB
  max_header: 2KiB
"""
    assert plan_of(gateway=text).gateway == GatewayPlan(
        listen=(Listen("::1", 0), Listen(path=tmp_path / "run/gw.sock"), Listen(path=Path("/tmp/gw.sock"))),
        auth=GatewayAuth(token=Secret("from-the-environment")),
        origins=("http://localhost:3000", "null"),
        hosts=("dev.example.test",),
        max_clients=2,
        max_message=1024,
        max_header=2048,
    )


@pytest.mark.parametrize("token", ["literal-token", "${TOKEN}"])
def test_the_token_is_never_shown(tmp_path: Path, token: str) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(FILE.format(gateway=f'gateway: {{auth: {{token: "{token}"}}}}', channel=""))
    environ = {"TOKEN": "from-the-environment"}
    shown = redacted(read_plan(file, environ)[0])
    assert 'token: "***"' in shown
    assert "literal-token" not in shown + repr(load(file, environ))


def test_hooks(plan_of, tmp_path: Path) -> None:
    channel = ", on_state: [notify-send, wscli], on_message: {exec: [./ring, -v], jq: .a, parallel: 4, timeout: 5s}"
    found = plan_of(channel=channel).channels["c"]
    assert found.on_state == StateHook(exec=("notify-send", "wscli"))
    assert found.on_message == MessageHook(exec=(str(tmp_path / "ring"), "-v"), jq=".a", parallel=4, timeout=5.0)


@pytest.mark.parametrize("written", ["${TOKEN}", "./${TOKEN}/ring", "./ring"])
def test_a_hooks_program_is_shown_as_it_is_written(plan_of, written: str) -> None:
    hook = plan_of(channel=f", on_state: ['{written}']").channels["c"].on_state
    assert "$" not in hook.exec[0]
    assert shown(hook.exec[0]) == repr(written.replace("${TOKEN}", "***"))
