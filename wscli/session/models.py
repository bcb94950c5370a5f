"""The keys of ``session:``, their types and descriptions.

Each level is validated by itself, so that every problem is found. What stands deeper, and whatever may hold
placeholders, is left as it is (its type serves the JSON Schema) and is compiled with the names that its place has.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, SkipValidation, WithJsonSchema

from wscli.session.calls import SessionHttp
from wscli.templates.paths import JsonPath, compile_path_expression
from wscli.values import Count, Duration, Flag, RateOf, StrictModel

__all__ = [
    "AlternativeModel", "FramesModel", "ResumeModel", "RouteModel", "RuleModel", "SessionLimitsModel", "SessionModel",
    "StepModel", "StreamModel", "TimerModel",
]  # fmt: skip


def _json(*examples: Any) -> WithJsonSchema:
    return WithJsonSchema({"description": "any JSON value", "examples": list(examples)})


def _named(example: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"type": "object", "additionalProperties": {}, "examples": [example]})


def _path(value: object) -> JsonPath:
    if isinstance(value, JsonPath):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a path, such as .payload")  # noqa: TRY004 - pydantic collects ValueError
    return compile_path_expression(value)


def _close_code(code: int) -> int:
    if code not in (1000, 1001) and not 3000 <= code <= 4999:
        raise ValueError(f"{code} is not a code that a client closes with; it must be 1000, 1001 or 3000 to 4999")
    return code


_PATH = WithJsonSchema({"type": "string", "pattern": r"^\.", "examples": [".payload"]})
_Path = Annotated[JsonPath, PlainValidator(_path), _PATH]
_Shown = Annotated[Any, _PATH]
_Text = Annotated[Any, WithJsonSchema({"type": "string"})]
_ACTIONS = ("retry", "reconnect", "replace", "reauth", "fresh", "done", "stop")
_NO_SOONER = {
    "type": "object",
    "properties": {"retry": {"type": "string", "description": "retry, no sooner than this, such as 60s"}},
    "required": ["retry"],
    "additionalProperties": False,
}
_Verdict = Annotated[Any, WithJsonSchema({"anyOf": [{"enum": list(_ACTIONS)}, _NO_SOONER]})]
_VerdictOrGap = Annotated[Any, WithJsonSchema({"anyOf": [{"enum": [*_ACTIONS, "gap"]}, _NO_SOONER]})]
_Message = Annotated[Any, _json({"type": "ping"})]
_Shape = Annotated[Any, _json({"type": "ack"})]
_Set = Annotated[
    Annotated[Any, _named({"beat": ".d.heartbeat_interval"})],
    Field(description="by name, a path into the message or a template, for this connection"),
]
_Keep = Annotated[
    Annotated[Any, _named({"seq": ".s"})],
    Field(description="by name, a path into the message or a template, beyond this connection"),
]
_Duration = Annotated[Any, WithJsonSchema({"type": "string", "examples": ["25s"]})]


class AlternativeModel(StrictModel):
    """One of several answers that a step may get."""

    match: Annotated[_Shape, Field(description="the shape of the answer")]
    set: _Set = None
    keep: _Keep = None
    drop: Annotated[Flag | None, Field(description="false: it flows on like any message. Default: the step's")] = None
    resumed: Annotated[Flag, Field(description="true: the server sends what was missed, so that there is no gap")] = (
        False
    )
    then: Annotated[_Verdict, Field(description="a verdict: the answer is a failure")] = None


class StepModel(StrictModel):
    """One step: it sends, calls or runs something, or nothing, and waits for what it expects."""

    send: Annotated[
        _Message,
        Field(description="a message: a mapping or a list is sent as JSON, a text as it stands; {binary: TEXT}"),
    ] = None
    http: Annotated[
        SkipValidation[SessionHttp | None], Field(description="an HTTP call, with the keys of a token source's http")
    ] = None
    run: Annotated[
        SkipValidation[tuple[str, ...] | None],
        Field(
            description="a command whose output is a JSON answer: [PROGRAM, ARGUMENT...], run without a shell",
            json_schema_extra={"examples": [["./sign", "{var.nonce}"]]},
        ),
    ] = None
    stdin: Annotated[_Message, Field(description="with run: what the command reads, text or JSON")] = None
    when: Annotated[
        Annotated[Any, _named({"with.private": True})],
        Field(description="variables by shape; the step is skipped where one differs"),
    ] = None
    expect: Annotated[
        SkipValidation[tuple[AlternativeModel, ...] | Any],
        Field(
            description="the answer's shape, or a list of {match, set, keep, drop, resumed, then}: the first that fits",
            json_schema_extra={"examples": [{"type": "ack"}]},
        ),
    ] = None
    within: Annotated[
        Annotated[Duration, Field(gt=0, le=3600)] | None,
        Field(
            description="how long to wait for the answer; in bye: 2s, and 30s at most",
            json_schema_extra={"default": "10s"},
        ),
    ] = None
    set: _Set = None
    keep: _Keep = None
    drop: Annotated[Flag, Field(description="whether the answer is consumed; false: it flows on like any message")] = (
        True
    )


_Steps = SkipValidation[tuple[StepModel, ...]]


class RuleModel(StrictModel):
    """What is done about each message that fits."""

    match: Annotated[_Shape, Field(description="the shape of the messages")]
    set: _Set = None
    keep: _Keep = None
    send: Annotated[_Message, Field(description="a message to send for each")] = None
    do: Annotated[_Steps, Field(description="steps to take for each, one message at a time")] = ()
    ack: Annotated[
        Literal["logged"] | None,
        Field(description="logged: `send` waits until the message is committed to the channel's history"),
    ] = None
    drop: Annotated[Flag, Field(description="true: no channel gets the message")] = False
    then: Annotated[
        _VerdictOrGap, Field(description="a verdict on the connection or the channel, or gap: messages were missed")
    ] = None


class TimerModel(StrictModel):
    """A heartbeat, a watchdog or a renewal; it has one of ``every``, ``idle_in`` and ``idle_out``."""

    every: Annotated[_Duration, Field(description="its interval")] = None
    idle_in: Annotated[_Duration, Field(description="after so long without a message received")] = None
    idle_out: Annotated[_Duration, Field(description="after so long without a message sent; pings do not count")] = None
    first: Annotated[
        Literal["random"] | None, Field(description="random: the first interval is multiplied by a number up to 1")
    ] = None
    do: Annotated[_Steps, Field(description="steps to take; without them `else` applies at once")] = ()
    otherwise: Annotated[
        _Verdict,
        Field(
            alias="else",
            description="the verdict where a step fails, or without steps",
            json_schema_extra={"default": "reconnect"},
        ),
    ] = None


class RouteModel(StrictModel):
    """Whose messages these are."""

    match: Annotated[_Shape, Field(description="the shape of the channel's messages")]
    show: Annotated[_Shown, Field(description="what readers get of them, in place of the session's `show`")] = None
    order: Annotated[
        _Path | None, Field(description="a number that rises by one with each of the channel's messages")
    ] = None


class ResumeModel(StrictModel):
    """How a lost session is taken up again."""

    needs: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="names that were kept: it is used where each has a value"),
        WithJsonSchema({"type": "array", "items": {"type": "string"}, "examples": [["sid", "seq"]]}),
    ]
    hello: Annotated[_Steps, Field(description="steps in place of the session's hello")] = ()
    subscribe: Annotated[
        Literal["kept"] | None, Field(description="kept: the server keeps subscriptions, so that none is made again")
    ] = None
    once: Annotated[Flag, Field(description="true: what was kept is good for one dial, and forgotten at it")] = False


class SessionLimitsModel(StrictModel):
    """Rates that the server allows."""

    send: Annotated[RateOf | None, Field(description="messages that are sent, beats and answers first")] = None
    subscribe: Annotated[RateOf | None, Field(description="subscriptions that are begun, critical channels first")] = (
        None
    )


class StreamModel(StrictModel):
    """Frames are a stream of bytes, whatever their boundaries."""

    until: Annotated[_Text, Field(description="ends each unit", json_schema_extra={"examples": ["\r\n"]})]
    body: Annotated[
        _Text,
        Field(
            description="a regex for units that bytes follow; its group `size` says how many",
            json_schema_extra={"examples": [r"MSG \S+ \S+ (?P<size>\d+)"]},
        ),
    ] = None


class FramesModel(StrictModel):
    """How messages lie in WebSocket frames."""

    split: Annotated[
        _Text, Field(description="separates the messages of one frame", json_schema_extra={"examples": ["\n"]})
    ] = None
    end: Annotated[
        _Text,
        Field(
            description="what follows each message sent: mappings, lists and those of programs",
            json_schema_extra={"examples": ["\x1e"]},
        ),
    ] = None
    send: Annotated[Literal["text", "binary"], Field(description="the kind of frame that messages are sent in")] = (
        "text"
    )
    parse: Annotated[
        SkipValidation[tuple[str, ...]],
        Field(
            description="regexes; the first that matches makes an object of its named groups",
            json_schema_extra={"examples": [[r"(?P<op>PING|PONG)"]]},
        ),
    ] = ()
    stream: Annotated[SkipValidation[StreamModel | None], Field(description="{until: TEXT, body: REGEX}")] = None


class SessionModel(StrictModel):
    """What happens on a connection: log-in, subscriptions, heartbeats, acknowledgements, resumption."""

    before: Annotated[_Steps, Field(description="steps before each dial: tickets, discovery, signatures")] = ()
    hello: Annotated[_Steps, Field(description="steps after the upgrade; then channels may be subscribed")] = ()
    subscribe: Annotated[_Steps, Field(description="steps for each channel; it is ready at their end")] = ()
    unsubscribe: Annotated[_Steps, Field(description="steps for a channel that is no longer used")] = ()
    bye: Annotated[_Steps, Field(description="steps before a close after which wscli does not come back")] = ()
    resume: Annotated[SkipValidation[ResumeModel | None], Field(description="how a lost session is taken up again")] = (
        None
    )
    rules: Annotated[
        SkipValidation[tuple[RuleModel, ...]], Field(description="what is done about messages, each that fits")
    ] = ()
    timers: Annotated[
        SkipValidation[tuple[TimerModel, ...]], Field(description="heartbeats, watchdogs and renewals")
    ] = ()
    route: Annotated[
        SkipValidation[tuple[RouteModel, ...] | Any],
        Field(description="the shape of a channel's messages, or a list of {match, show, order}"),
    ] = None
    show: Annotated[_Shown, Field(description="what readers get of a message; .items[] makes each element one")] = None
    order: Annotated[_Path | None, Field(description="a number that rises by one: a jump is a gap")] = None
    outgoing: Annotated[
        Annotated[Any, _json({"type": "message", "payload": "{msg}"})],
        Field(description="wraps what programs send, as {msg} or {msg.PATH}; none: they may not send"),
    ] = None
    merge: Annotated[
        Any, _named({"id": "{ref.int}"}), Field(description="added to each JSON object that programs send")
    ] = None
    reply: Annotated[
        Annotated[Any, _json({"id": "{sent.ref}"})],
        Field(description="the shape of the answer to a message that a program sent"),
    ] = None
    limits: Annotated[SkipValidation[SessionLimitsModel | None], Field(description="rates that the server allows")] = (
        None
    )
    close: Annotated[
        Count, AfterValidator(_close_code), Field(description="the code of our closes where resume state is kept")
    ] = 1000
    frames: Annotated[SkipValidation[FramesModel | None], Field(description="how messages lie in frames")] = None
