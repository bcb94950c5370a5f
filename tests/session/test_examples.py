"""The examples of docs/sessions.md, step by step."""

from __future__ import annotations

from tests.session.declared import session
from tests.session.host import Channel, Host, path
from wscli.session import actions as a
from wscli.session.engine.memory import Memory

GQL = session("""
hello: [{send: {type: connection_init, payload: {Authorization: "Bearer {token.api}"}}, expect: {type: connection_ack}}]
subscribe:
  - send: {id: "{ref.uuid}", type: subscribe, payload: {query: "{with.query}", variables: "{with.variables?}"}}
unsubscribe: [{send: {id: "{sub.ref}", type: complete}}]
route: {id: "{sub.ref}", type: next}
show: .payload
rules:
  - {match: {type: ping}, send: {type: pong}, drop: true}
  - {match: {type: error, id: "{sub.ref}"}, then: stop}
  - {match: {type: complete, id: "{sub.ref}"}, then: done, drop: true}
timers: [{every: 25s, do: [{send: {type: ping}, expect: {type: pong}}]}]
""")

HOME = session("""
hello:
  - expect: {type: auth_required}
  - send: {type: auth, access_token: "{token.ha}"}
    expect: [{match: {type: auth_ok}}, {match: {type: auth_invalid}, then: reauth}]
subscribe:
  - send: {id: "{ref.int}", type: subscribe_events, event_type: "{with.event}"}
    expect: [{match: {id: "{sent.ref}", success: true}}, {match: {id: "{sent.ref}", success: false}, then: stop}]
unsubscribe: [{send: {id: "{ref.int}", type: unsubscribe_events, subscription: "{sub.ref}"}}]
route: {id: "{sub.ref}", type: event}
show: .event
merge: {id: "{ref.int}"}
reply: {id: "{sent.ref}", type: result}
timers: [{every: 30s, do: [{send: {id: "{ref.int}", type: ping}, expect: {id: "{sent.ref}", type: pong}}]}]
""")


def gql(*channels: Channel) -> Host:
    return Host(GQL, shared=True).dial().receive({"type": "connection_ack"}).join(*channels)


def test_gql_subscribes_routes_shows_and_ends_each_channel_by_itself() -> None:
    one, two = Channel("one", {"query": "a"}), Channel("two", {"query": "b", "variables": {"x": 1}})
    host = gql(one, two)
    assert host.sent == [
        {"type": "connection_init", "payload": {"Authorization": "Bearer TOKEN"}},
        {"id": "uuid-1", "type": "subscribe", "payload": {"query": "a"}},
        {"id": "uuid-2", "type": "subscribe", "payload": {"query": "b", "variables": {"x": 1}}},
    ]
    assert host.ready == ["one", "two"]
    host.receive(
        {"id": "uuid-2", "type": "next", "payload": {"n": 1}},
        {"id": "uuid-1", "type": "next", "payload": {"n": 2}},
        {"type": "ping"},
        {"id": "uuid-9", "type": "next", "payload": {"n": 3}},
    )
    assert host.got == {"one": [{"n": 2}], "two": [{"n": 1}]}
    assert host.sent[-1] == {"type": "pong"}
    assert host.unrouted == 1
    host.receive({"id": "uuid-1", "type": "error", "payload": []}, {"id": "uuid-2", "type": "complete"})
    assert host.verdicts == [("one", "stop"), ("two", "done")]


def test_gql_sends_complete_for_a_channel_that_leaves() -> None:
    one = Channel("one", {"query": "a"})
    host = gql(one).leave(one)
    assert host.sent[-1] == {"id": "uuid-1", "type": "complete"}
    assert [action.channel.name for action in host.of(a.Unsubscribed)] == ["one"]


def test_gql_pings_and_reconnects_where_no_pong_arrives() -> None:
    host = gql().advance(25)
    assert host.sent[-1] == {"type": "ping"}
    host.receive({"type": "pong"}).advance(25)
    assert host.verdicts == []
    host.advance(10)
    assert host.verdicts == [(None, "reconnect")]
    assert host.failure == "timers[0].do[0] (send): no answer within 10s, expected {type: pong}"


def home() -> Host:
    return Host(HOME, shared=True).dial().receive({"type": "auth_required"}, {"type": "auth_ok"})


def test_home_sees_two_awaited_frames_of_one_read() -> None:
    host = home()
    assert host.sent == [{"type": "auth", "access_token": "TOKEN"}]
    assert [action.resumed for action in host.of(a.SessionReady)] == [False, False]


def test_home_is_reauthenticated_where_the_token_is_refused() -> None:
    host = Host(HOME, shared=True).dial().receive({"type": "auth_required"}).receive({"type": "auth_invalid"})
    assert host.verdicts == [(None, "reauth")]
    assert "TOKEN" not in host.failure


def test_home_answers_of_two_subscriptions_arrive_in_any_order() -> None:
    one, two = Channel("one", {"event": "x"}), Channel("two", {"event": "y"})
    host = home().join(one, two)
    host.receive({"id": 2, "type": "result", "success": True}, {"id": 1, "type": "result", "success": False})
    assert host.ready == ["two"]
    assert host.verdicts == [("one", "stop")]
    host.receive({"id": 2, "type": "event", "event": {"n": 1}}, {"id": 1, "type": "event", "event": {"n": 2}})
    assert host.got == {"two": [{"n": 1}]}


def test_home_gives_a_programs_message_an_id_and_finds_its_reply() -> None:
    one = Channel("one", {"event": "x"})
    host = home().join(one).receive({"id": 1, "type": "result", "success": True})
    asked = host.send(one, {"type": "get_states", "id": 99}, reply="wanted")
    assert host.sent[-1] == {"type": "get_states", "id": 2}
    host.receive({"id": 2, "type": "result", "result": []})
    assert [reply.message for reply in host.of(a.Reply)] == [asked]
    host.leave(one)
    assert host.sent[-1] == {"id": 3, "type": "unsubscribe_events", "subscription": 1}


SLACK = session("""
before:
  - http: {post: https://slack.com/api/apps.connections.open, headers: {Authorization: "Bearer {token.app}"}}
    expect:
      - {match: {ok: true}, set: {url: .url}}
      - {match: {error: "{in:invalid_auth|not_authed|token_revoked}"}, then: stop}
      - {match: {ok: false}, then: retry}
hello: [{expect: {type: hello}}]
rules:
  - {match: {envelope_id: "{any}"}, send: {envelope_id: "{msg.envelope_id}"}, ack: logged}
  - {match: {type: disconnect, reason: link_disabled}, then: stop, drop: true}
  - {match: {type: disconnect}, then: replace, drop: true}
show: .payload
""")


def slack(log: bool = True) -> tuple[Host, Channel]:
    channel = Channel("slack", dedupe=path(".envelope_id"))
    host = Host(SLACK, log=log).join(channel)
    host.do(host.session.begin())
    host.answer({"ok": True, "url": "wss://wss.slack.com/link"})
    host.do(host.session.dialling())
    return host.open().receive({"type": "hello"}), channel


def test_slack_fetches_a_url_and_is_ready_after_hello() -> None:
    host, _ = slack()
    assert host.session.variables()["url"] == "wss://wss.slack.com/link"
    (call,) = host.of(a.Call)[1:]
    assert call.what.request.headers == {"Authorization": "Bearer TOKEN"}
    assert host.ready == ["slack"]


def test_slack_acknowledges_an_envelope_once_it_is_logged() -> None:
    host, _ = slack(log=False)
    host.receive({"envelope_id": "e1", "type": "events_api", "payload": {"n": 1}})
    assert host.got == {"slack": [{"n": 1}]}
    assert host.of(a.Deliver)[0].keys == ['"e1"']
    assert host.sent == []
    host.do(host.session.logged(host.unlogged.pop()))
    assert host.sent == [{"envelope_id": "e1"}]


def test_slack_finishes_the_batch_before_it_replaces() -> None:
    host, _ = slack()
    host.receive({"type": "disconnect", "reason": "warning"}, {"envelope_id": "e1", "payload": {"n": 1}})
    assert host.verdicts == [(None, "replace")]
    assert host.actions.index(host.of(a.Deliver)[0]) < host.actions.index(host.of(a.JudgeUpstream)[0])
    host.receive({"type": "disconnect", "reason": "link_disabled"})
    assert host.verdicts[1:] == [(None, "stop")]


def test_slack_stops_where_the_token_is_refused() -> None:
    host = Host(SLACK)
    host.do(host.session.begin())
    host.answer({"ok": False, "error": "invalid_auth"})
    assert host.verdicts == [(None, "stop")]


DISCORD = session("""
hello:
  - {expect: {op: 10}, set: {beat: .d.heartbeat_interval}}
  - send: {op: 2, d: {token: "{token.bot}", intents: "{with.intents}"}}
    expect: {t: READY}
    keep: {sid: .d.session_id, resume_url: .d.resume_gateway_url, seq: .s}
    drop: false
resume:
  needs: [sid, seq]
  subscribe: kept
  hello:
    - {expect: {op: 10}, set: {beat: .d.heartbeat_interval}}
    - send: {op: 6, d: {token: "{token.bot}", session_id: "{var.sid}", seq: "{var.seq}"}}
      expect:
        - {match: {t: RESUMED}}
        - {match: {op: 9, d: true}, then: reconnect}
        - {match: {op: 9}, then: fresh}
rules:
  - {match: {op: 0}, keep: {seq: .s}}
  - {match: {op: 1}, send: {op: 1, d: "{var.seq?null}"}, drop: true}
  - {match: {op: 7}, then: reconnect, drop: true}
  - {match: {op: 9}, then: fresh, drop: true}
timers: [{every: "{var.beat}ms", first: random, do: [{send: {op: 1, d: "{var.seq?null}"}, expect: {op: 11}}]}]
limits: {send: 120/60s}
close: 4000
""")

READY = {"op": 0, "t": "READY", "s": 1, "d": {"session_id": "S", "resume_gateway_url": "wss://r"}}


def discord(memory: Memory | None = None) -> Host:
    channel = Channel("bot")
    host = Host(DISCORD, memory=memory, scope={"with": {"intents": 513}}).join(channel).dial()
    return host.receive({"op": 10, "d": {"heartbeat_interval": 40000}})


def test_discord_logs_in_beats_and_shows_the_ready_event() -> None:
    host = discord()
    assert host.sent == [{"op": 2, "d": {"token": "TOKEN", "intents": 513}}]
    host.receive(READY)
    assert host.got == {"bot": [READY]}
    assert host.of(a.Deliver)[0].kept["var"] == {"sid": "S", "resume_url": "wss://r", "seq": 1}
    host.receive({"op": 0, "s": 2, "t": "X"})
    assert host.of(a.Deliver)[1].kept["var"]["seq"] == 2
    host.advance(40 * 0.33)  # the first wait is multiplied by a random number
    assert host.sent[1:] == [{"op": 1, "d": 2}]
    assert host.session.close_code == 4000
    host.receive({"op": 11}).advance(40)
    assert host.sent[2:] == [{"op": 1, "d": 2}]
    assert host.verdicts == []
    host.advance(10)
    assert host.verdicts == [(None, "reconnect")]


def test_discord_beats_before_it_is_logged_in() -> None:
    host = discord()
    host.advance(40)
    assert host.sent[1:] == [{"op": 1, "d": None}]


def test_discord_resumes_without_a_gap() -> None:
    host = discord()
    host.receive(READY)
    host.session.ended()
    again = discord(host.memory)
    assert again.sent == [{"op": 6, "d": {"token": "TOKEN", "session_id": "S", "seq": 1}}]
    assert again.session.variables()["resume_url"] == "wss://r"
    again.receive({"op": 0, "t": "RESUMED", "s": 2})
    assert [ready.resumed for ready in again.of(a.SubscriptionReady)] == [True]


def test_discord_forgets_a_session_that_is_over() -> None:
    host = discord()
    host.receive(READY)
    host.session.ended()
    again = discord(host.memory)
    again.receive({"op": 9, "d": False})
    assert again.verdicts == [(None, "fresh")]
    again.memory.forget()
    again.session.ended()
    third = discord(host.memory)
    assert third.sent[0]["op"] == 2
