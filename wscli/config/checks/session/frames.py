"""``frames:``: how messages lie in frames."""

from __future__ import annotations

import re

from wscli.config.checks.session.site import Site
from wscli.config.reading.located import Located
from wscli.session.frames import FramesPlan, StreamPlan
from wscli.session.models import FramesModel, StreamModel
from wscli.session.regex import compile_linear_regex

__all__ = ["compile_frames"]

_NO_TEXT = ("json", "bytes")
"""Groups whose value is not text; `headers` is a mapping of texts."""


def compile_frames(located: Located | None, site: Site) -> FramesPlan:
    """Compile; the names of the groups that are text go to the site."""
    if located is None:
        return FramesPlan()
    model = site.typed(FramesModel, located)
    parse = tuple(filter(None, (_regex(item, site) for item in site.items(located.get("parse"), "regexes"))))
    site.groups = {name for regex in parse for name in regex.groupindex} - {*_NO_TEXT}
    stream = located.get("stream")
    return FramesPlan(
        split=_text(located.get("split"), site),
        end=_text(located.get("end"), site) or "",
        send="text" if model is None else model.send,
        parse=parse,
        stream=None if stream is None else _stream(stream, site),
    )


def _text(located: Located | None, site: Site) -> str | None:
    if located is None:
        return None
    if located.text is None:
        site.add(located, f"must be text, not {site.quoted(located)}")
        return None
    if not located.text:
        site.add(located, "must not be empty")
    return str(located.text)


def _regex(located: Located, site: Site, *, group: str | None = None) -> re.Pattern[str] | None:
    text = _text(located, site)
    if not text:
        return None
    try:
        regex = compile_linear_regex(text)
    except ValueError as error:
        site.add(located, str(error))
        return None
    if group is not None and group not in regex.groupindex:
        site.add(located, f"this regex has no group (?P<{group}>...), which says how many bytes follow")
    elif group is None and not regex.groupindex:
        site.add(located, "this regex has no named group, such as (?P<op>...), so that it makes an empty object")
    return regex


def _stream(located: Located, site: Site) -> StreamPlan | None:
    site.typed(StreamModel, located)
    until, body = _text(located.get("until"), site), located.get("body")
    regex = None if body is None else _regex(body, site, group="size")
    return StreamPlan(until.encode(), regex) if until else None
