"""``wscli explain``: what a key of the file means."""

from __future__ import annotations

import click

from wscli.cli.printing import put


@click.command("explain")
@click.argument("key", metavar="[KEY]", default="")
def command(key: str) -> int:
    """Explain a key of the file: its text, type, default and an example.

    KEY is written as errors write it, such as channels.backoff, with the names of a file or without. Where several
    places have the key, they are listed; .KEY is that of the top level. Without KEY: the keys of the top level.

    It needs no manager and no file.
    """
    from wscli.config.explain import explain_key

    put(explain_key(key))
    return 0
