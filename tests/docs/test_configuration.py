"""docs/configuration.md: its tables hold exactly the schema's keys, with their defaults; examples load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wscli.config.loading import load
from wscli.config.schema import file_schema
from wscli.core.failures import Action

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
SCHEMA = file_schema()
SECTIONS: Mapping[str, str] = {
    "Top level": "",
    "Endpoints": "EndpointModel",
    "Connect": "ConnectModel",
    "Keepalive": "Keepalive",
    "Rotation": "Rotate",
    "TLS": "TlsSettings",
    "Proxy": "ProxyModel",
    "Channels": "ChannelModel",
    "Share": "ShareModel",
    "Session": "SessionModel",
    "Step": "StepModel",
    "Answers": "AlternativeModel",
    "HTTP call": "SessionHttp",
    "Rules": "RuleModel",
    "Timers": "TimerModel",
    "Route": "RouteModel",
    "Resume": "ResumeModel",
    "Session limits": "SessionLimitsModel",
    "Frames": "FramesModel",
    "Stream": "StreamModel",
    "Backfill": "BackfillModel",
    "History": "HistoryLimits",
    "on_connect": "ConnectHook",
    "on_state": "StateHook",
    "on_message": "MessageHook",
    "Gateway": "GatewayPlan",
    "Auth": "GatewayAuth",
    "Backoff": "BackoffPolicy",
    "Tokens": "TokenSource",
    "Read": "ReadSettings",
    "The http source": "HttpSource",
    "The oauth2 source": "OAuth2Source",
    "The command source": "CommandSource",
}


def rows(section: str) -> dict[str, str]:
    """Give the keys of a section's table, and the default column."""
    body = re.split(r"^#+ ", TEXT.split(f"# {section}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) ?\|", body, re.MULTILINE))


def model(section: str) -> dict[str, Any]:
    name = SECTIONS[section]
    found: dict[str, Any] = SCHEMA["$defs"][name] if name else SCHEMA
    return found


def test_every_model_has_its_section() -> None:
    told_elsewhere = {"BackfillHttp", "GiveUpAttempts", "GiveUpAfter"}
    assert set(SCHEMA["$defs"]) == set(filter(None, SECTIONS.values())) | told_elsewhere


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_has_every_key_and_no_other(section: str) -> None:
    assert set(rows(section)) == set(model(section)["properties"])


@pytest.mark.parametrize("section", SECTIONS)
def test_the_defaults_are_the_schemas(section: str) -> None:
    for key, cell in rows(section).items():
        schema = model(section)["properties"][key]
        if "default" in schema:
            default = schema["default"]
            written = f"{default:g}" if type(default) is float else default
            written = str(default).lower() if isinstance(default, bool) else written
            assert cell == f"`{written}`", f"{section}: {key}"
        elif key in model(section).get("required", ()):
            assert cell == "required", f"{section}: {key}"


def test_every_verdict_is_told() -> None:
    assert all(f"| `{action}` |" in TEXT for action in Action)


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_every_example_loads_without_warnings(block: str, tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(block)
    plan = load(file, {"API_KEY": "x"})
    assert plan.channels
    assert plan.warnings == ()
