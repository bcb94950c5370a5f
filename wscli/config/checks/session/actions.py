"""What a step does: it sends a message, makes an HTTP call, or runs a command."""

from __future__ import annotations

from collections.abc import Collection

from wscli.config.checks.hooks import check_words
from wscli.config.checks.session.site import Place, Site, spaces_of
from wscli.config.checks.session.words import sent_words
from wscli.config.checks.tls import check_tls_files
from wscli.config.models.fields import joined
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Items
from wscli.session.calls import SessionHttp
from wscli.session.plan import HttpAction, RunAction, SendAction
from wscli.templates import JsonTemplate, compile_json
from wscli.values import Scalar

__all__ = ["check_refs", "compile_action", "compile_send", "ref_kind"]


def compile_action(
    located: Located, place: Place, site: Site
) -> tuple[SendAction | HttpAction | RunAction | None, str]:
    """Compile the action of a step, and say it in a few words; None: it has none, or the action is wrong."""
    send, http, run, stdin = (located.get(key) for key in ("send", "http", "run", "stdin"))
    given = [one for one in (send, http, run) if one is not None]
    if len(given) > 1:
        site.add(given[1], "a step has one of send, http and run; write two steps", key=True)
    if stdin is not None and run is None:
        site.add(stdin, "'stdin' belongs to 'run:'", key=True)
    if send is not None:
        return compile_send(send, place.spaces, site, of_channel=place.of_channel), f"send {sent_words(send)}"
    if http is not None:
        return _http(http, place, site)
    if run is not None:
        words = next((item.text.redacted for item in run.items() if item.text), "a command")
        return _run(run, stdin, place, site), f"run {words}"
    return None, ""


def compile_send(located: Located, spaces: Collection[str], site: Site, *, of_channel: bool) -> SendAction | None:
    """Compile a message to send."""
    inner = located.get("binary")
    binary = inner is not None and len(dict(located.entries())) == 1
    what = inner if inner is not None and binary else located
    compiles = site.message if what.text is None else site.text  # a text is sent as it stands
    message = compiles(what, spaces, of_channel=of_channel)
    if message is None:
        return None
    check_refs(message, what, site)
    return SendAction(message, binary)


def check_refs(message: JsonTemplate, located: Located, site: Site) -> None:
    """Refuse two kinds of reference in one message: `{sent.ref}` is one of them."""
    kinds = _refs(message)
    if len(kinds) > 1:
        names = " and ".join(f"{{ref.{kind}}}" for kind in kinds)
        site.add(located, f"a message has one kind of reference; {names} are {len(kinds)}")


def _refs(message: JsonTemplate) -> list[str]:
    return sorted(name for space, name in message.references if space == "ref")


def ref_kind(message: JsonTemplate | None) -> str | None:
    """Give the kind of reference that a message has: int, str or uuid; None: none."""
    return None if message is None else next(iter(_refs(message)), None)


def _http(located: Located, place: Place, site: Site) -> tuple[HttpAction | None, str]:
    spaces = [space for space in place.spaces if space not in ("ref", "sent")]
    source = site.typed(SessionHttp, located, spaces=spaces)
    check_tls_files(located.get("tls"), site.context)
    for key in (*SessionHttp.METHODS, "headers", "json", "form"):
        site.collect(located.get(key), spaces, of_channel=place.of_channel)
    if source is None:
        return None, "call"
    method = next(key for key in SessionHttp.METHODS if getattr(source, key) is not None)
    return HttpAction(source, frozenset(source.accept)), f"{method.upper()} {source.shown}"


def _run(located: Located, stdin: Located | None, place: Place, site: Site) -> RunAction | None:
    spaces = [space for space in place.spaces if space not in ("ref", "sent")]
    given = None
    if stdin is not None:
        given = (site.message if stdin.text is None else site.text)(stdin, spaces, of_channel=place.of_channel)
    if not isinstance(located.node, Items) or not located.node.items:
        site.add(located, "a command is a list, [PROGRAM, ARGUMENT...]; it is run without a shell")
        return None
    check_words(located, site.context)
    argv = []
    for number, item in enumerate(located.items()):
        if item.text is not None and "\0" in item.text:
            site.add(item, "an argument cannot hold a NUL")
        if "token" in spaces_of(item):
            site.add(item, "a token cannot be an argument: every user could read it in the process list; use 'stdin:'")
        word = site.text(item, [space for space in spaces if space != "token"], of_channel=place.of_channel)
        if word is not None and number == 0 and item.text is not None and "/" in item.text and not word.references:
            path = Scalar(joined(site.context.base, item.text), plain=False)
            word = compile_json(path, ())
        if word is not None:
            argv.append(word)
    return RunAction(tuple(argv), given) if len(argv) == len(located.node.items) else None
