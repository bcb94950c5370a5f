"""The pages of docs/ name what there is: states, commands, options, hooks, metrics and the figures that hold."""

from __future__ import annotations

import re
import runpy
from dataclasses import asdict
from pathlib import Path

import click
import pytest

from wscli.cli.mock import command as mock
from wscli.cli.root import VERBS, root
from wscli.cli.service import command as service
from wscli.cli.service.units import Service, systemd_unit
from wscli.config.models.hooks import MessageHook
from wscli.core.states import ChannelState
from wscli.daemon.channel.counters import MAX_REASONS, OTHER
from wscli.daemon.hooks.command import environment
from wscli.daemon.hooks.events import MOST_CHANGES
from wscli.daemon.hooks.report import HookCounts
from wscli.errors import ExitCode
from wscli.gateway.http.pages import PAGES
from wscli.gateway.http.samples import METRICS

DOCS = Path(__file__).parents[2] / "docs"
HOME = Path("/home/you")


def text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text()


def options_of(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option)]


@pytest.mark.parametrize(
    ("name", "generator"), [("commands", "commands"), ("states", "states"), ("architecture", "layers")]
)
def test_what_is_generated_is_of_today(name: str, generator: str) -> None:
    """The commands' own help, the table that the machine obeys, the contracts that import-linter checks."""
    page = runpy.run_path(str(DOCS / f"generate_{generator}.py"))["page"]
    assert page(text(name)) == text(name), "run `make docs`"


def test_every_command_and_every_option_is_documented() -> None:
    context = click.Context(root, info_name="wscli")
    for verb in VERBS:
        command = root.get_command(context, verb)
        assert command is not None
        section = re.search(rf"^## {verb}\n(.*?)(?=^## |\Z)", text("commands"), re.MULTILINE | re.DOTALL)
        assert section, f"no section on {verb}"
        below = list(command.commands.values()) if isinstance(command, click.Group) else []
        for option in (option for one in (command, *below) for option in options_of(one) if not option.hidden):
            assert all(name in section[1] for name in option.opts), f"{verb}: {option.opts}"


def test_every_exit_code_is_documented() -> None:
    codes = re.findall(r"^\| (\d+) \| ", text("commands"), re.MULTILINE)
    assert [int(code) for code in codes] == [int(code) for code in ExitCode]


def test_every_state_is_explained() -> None:
    assert [state for state in ChannelState if f"| `{state}` |" not in text("states")] == []


def test_every_variable_and_every_count_of_a_hook_is_documented() -> None:
    names = [*environment({}, channel="calls", instance="app", hook="on_connect", connection=1), *asdict(HookCounts())]
    assert [name for name in names if f"| `{name}` |" not in text("hooks")] == []


def test_the_limits_of_hooks_are_those_that_hold() -> None:
    plan = MessageHook(exec=("true",))
    assert (plan.parallel, plan.timeout, MOST_CHANGES) == (1, 10.0, 64)
    assert "At most 64 changes" in text("hooks")


def test_every_metric_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| `(wscli_\w+)` \| (\w+) \| (.*?) ?\| \S", text("metrics"), re.MULTILINE)
    assert [name for name, _, _ in rows] == list(METRICS)
    assert {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows} == {
        name: (metric.kind, metric.labels) for name, metric in METRICS.items()
    }


def test_every_page_for_machines_is_documented_with_whether_it_needs_the_token() -> None:
    rows = dict(re.findall(r"^\| `(/\w+)` \| .* \| (yes|no) \|$", text("metrics"), re.MULTILINE))
    machines = {path: page for path, page in PAGES.items() if path != "/" and "." not in path}
    assert {path: answer == "yes" for path, answer in rows.items()} == {
        path: page.needs_token for path, page in machines.items()
    }


def test_the_bound_on_reasons_is_documented() -> None:
    assert f"has {MAX_REASONS} reasons at most" in text("metrics")
    assert f"`{OTHER}`" in text("metrics")


def test_every_option_of_the_mock_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| `(-.*?)` \| \S", text("mock"), re.MULTILINE)
    named = [option for row in rows for option in re.findall(r"(?<![\w-])--?[a-z]+", row)]
    assert sorted(named) == sorted(option for one in options_of(mock) for option in one.opts)
    default = next(one.default for one in mock.params if one.name == "address")
    assert f"by default `{default}`" in text("mock")


def test_the_unit_is_the_one_of_today() -> None:
    python = str(HOME / ".venv/bin/python")
    state = HOME / ".local/state/wscli/app.log"
    unit = systemd_unit(Service("app", HOME / "app.yaml", python, HOME / ".config/wscli/app.env", state))
    assert re.findall(r"```ini\n(.*?)```", text("service"), re.DOTALL) == [unit]


def test_every_verb_and_option_of_the_service_is_named() -> None:
    for name, verb in service.commands.items():
        row = re.search(rf"^\| `wscli service {name}.*$", text("service"), re.MULTILINE)
        assert row, name
        assert all(f"[{one.opts[0]}" in row[0] for one in options_of(verb) if one.expose_value), row[0]
