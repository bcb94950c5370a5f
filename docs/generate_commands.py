"""Write the reference of docs/commands.md from the commands' own help: ``python docs/generate_commands.py``."""

from __future__ import annotations

from pathlib import Path

import click

from wscli.cli.root import VERBS, root

PAGE = Path(__file__).with_name("commands.md")
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
WIDTH = 100


def reference() -> str:
    """Give a section for each verb, with its help and that of the verbs below it."""
    top = click.Context(root, info_name="wscli", terminal_width=WIDTH, max_content_width=WIDTH, **root.context_settings)
    sections = [_help(root, top)]
    for verb in VERBS:
        command = root.get_command(top, verb)
        if command is None:
            raise LookupError(verb)
        context = _below(command, verb, top)
        sections.append(f"## {verb}\n\n{_help(command, context)}")
        if isinstance(command, click.Group):
            sections += [_help(one, _below(one, name, context)) for name, one in command.commands.items()]
    return "\n\n".join(sections)


def _below(command: click.Command, name: str, parent: click.Context) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)


def _help(command: click.Command, context: click.Context) -> str:
    return f"```text\n{command.get_help(context).rstrip()}\n```"


def page(text: str) -> str:
    """Put the reference between the marks."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n\n{reference()}\n\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
