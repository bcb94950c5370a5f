"""The kernel's messages: what they say is read, and nothing that arrives raises."""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from tests.network.messages import (
    BLACKHOLE,
    DEL_ADDRESS,
    DEL_LINK,
    DEL_ROUTE,
    LOCAL,
    NEW_ADDRESS,
    NEW_LINK,
    NEW_ROUTE,
    PERMANENT,
    TENTATIVE,
    UNICAST,
    address,
    attribute,
    link,
    message,
    route,
)
from wscli.network.netlink import ChangeFilter
from wscli.network.rtnetlink import (
    ALIVE,
    AddressChange,
    Change,
    LinkChange,
    RouteChange,
    Trouble,
    ask_link,
    ask_route,
    parse_changes,
)

ADDRESS_HEAD = struct.pack("=BBBBI", 2, 24, PERMANENT, 0, 4)
ROUTE_HEAD = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 2, 0, UNICAST, 0)
READ: list[tuple[bytes, list[Change]]] = [
    (link(4, 0x11043), [LinkChange(4, 0x11043, gone=False)]),
    (link(4, 0x1002, kind=DEL_LINK), [LinkChange(4, 0x1002, gone=True)]),
    (link(4, 0x11043, family=7), []),
    (address(4, "10.9.0.1"), [AddressChange(4, b"\x0a\x09\x00\x01", usable=True, gone=False)]),
    (address(4, "10.9.0.1", kind=DEL_ADDRESS), [AddressChange(4, b"\x0a\x09\x00\x01", usable=True, gone=True)]),
    (address(4, "fd09::1", TENTATIVE), [AddressChange(4, ip_address("fd09::1").packed, usable=False, gone=False)]),
    (address(4, "fd09::1", 0x400), [AddressChange(4, ip_address("fd09::1").packed, usable=True, gone=False)]),
    (route(4), [RouteChange(4, UNICAST, cached=False, gone=False)]),
    (route(None, BLACKHOLE, kind=DEL_ROUTE), [RouteChange(None, BLACKHOLE, cached=False, gone=True)]),
    (route(4, flags=0x200), [RouteChange(4, UNICAST, cached=True, gone=False)]),
    (message(NEW_ADDRESS, ADDRESS_HEAD), []),
    (
        # IFA_ADDRESS is the peer of a point-to-point link, IFA_LOCAL ours (linux/if_addr.h)
        message(NEW_ADDRESS, ADDRESS_HEAD + attribute(1, b"peer") + attribute(2, b"ours")),
        [AddressChange(4, b"ours", usable=True, gone=False)],
    ),
    (
        # NLA_F_NESTED and NLA_F_NET_BYTEORDER (linux/netlink.h) are no part of an attribute's type
        message(NEW_ROUTE, ROUTE_HEAD + attribute(4 | 0x8000, struct.pack("=I", 7))),
        [RouteChange(7, UNICAST, cached=False, gone=False)],
    ),
    (message(2, struct.pack("=i", -101) + bytes(16)), [Trouble(101)]),
    (message(4, b""), [Trouble(0)]),
    (message(3, bytes(4)), []),
    (message(999, b"later kernels say more"), []),
    (message(999, b"") * 4096, []),
    *((struct.pack("=IHHII", length, NEW_LINK, 0, 0, 0), []) for length in (0, 1, 15, 17, 0xFFFFFFFF)),
    *(
        # an attribute whose length cannot be ends the attributes
        (
            message(NEW_ROUTE, ROUTE_HEAD + struct.pack("=HH", length, 4) + bytes(4)),
            [RouteChange(None, UNICAST, cached=False, gone=False)],
        )
        for length in (0, 3, 200)
    ),
    (b"", []),
]


@pytest.mark.parametrize(("data", "changes"), READ)
def test_what_matters_is_read(data: bytes, changes: list[Change]) -> None:
    assert list(parse_changes(data)) == changes


def test_several_messages_in_one_datagram_are_read_in_their_order() -> None:
    data = message(999, b"odd length,") + link(1, 9) + route(1) + address(1, "10.0.0.1")
    assert [type(change) for change in parse_changes(data)] == [LinkChange, RouteChange, AddressChange]


@pytest.mark.parametrize("whole", [data for data, changes in READ if changes])
def test_a_message_that_is_cut_short_is_left_out(whole: bytes) -> None:
    assert not [change for size in range(len(whole) - 4) for change in parse_changes(whole[:size])]


bodies = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda head, parts: head + b"".join(attribute(kind, payload) for kind, payload in parts),
        st.binary(min_size=8, max_size=16),
        st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=4),
    ),
)
likely = st.builds(message, st.integers(0, 30), bodies)


@settings(max_examples=SOME, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.lists(likely, max_size=5).map(b"".join)), st.integers(0, 400))
def test_arbitrary_bytes_raise_nothing(data: bytes, cut: int) -> None:
    """Neither reading them nor judging what they seem to say."""
    changes = ChangeFilter()
    for piece in (data, data[:cut], data[cut:]):
        for change in parse_changes(piece):
            assert changes.matters(change) in (True, False)


@pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
@pytest.mark.parametrize("text", ["127.0.0.1", "127.1.2.3"])
def test_the_kernel_understands_our_questions(text: str) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(30)
        kernel.send(ask_route(ip_address(text)))
        (way,) = parse_changes(kernel.recv(65536))
        assert way == RouteChange(socket.if_nametoindex("lo"), LOCAL, cached=True, gone=False)
        kernel.send(ask_link(socket.if_nametoindex("lo")))
        (loopback,) = parse_changes(kernel.recv(65536))
        assert isinstance(loopback, LinkChange)
        assert loopback.flags & ALIVE == ALIVE
        kernel.send(ask_link(0x7FFFFFFF))
        (refusal,) = parse_changes(kernel.recv(65536))
        assert refusal == Trouble(19)  # ENODEV


def test_relevant_is_only_what_changes_something() -> None:
    """The kernel repeats itself; only the first word and a different one count."""
    changes = ChangeFilter()

    def judge(data: bytes) -> list[bool]:
        return [changes.matters(change) for change in parse_changes(data)]

    up, no_carrier = 0x1 | 0x40 | 0x10000, 0x1
    assert judge(link(4, up)) == [True]
    assert judge(link(4, up | 0x1000)) == [False], "multicast does not change reachability"
    assert judge(link(4, no_carrier)) == [True], "the peer went down"
    assert judge(link(4, no_carrier)) == [False]
    assert judge(link(5, no_carrier)) == [True]
    assert judge(link(4, no_carrier, kind=DEL_LINK)) == [True]
    assert judge(link(4, no_carrier)) == [True], "another interface of an old number"

    assert judge(address(4, "10.9.0.1")) == [True]
    assert judge(address(4, "10.9.0.1")) == [False], "a lifetime was renewed"
    assert judge(address(5, "10.9.0.1")) == [True]
    assert judge(address(4, "10.9.0.1", kind=DEL_ADDRESS)) == [True]
    assert judge(address(4, "10.9.0.1")) == [True]
    assert judge(address(4, "fd09::1", TENTATIVE)) == [False], "not ours yet"
    assert judge(address(4, "fd09::1")) == [True]
    assert judge(address(4, "fd09::1", PERMANENT | 0x8)) == [True], "another host has it"

    assert judge(route(4)) == [True]
    assert judge(route(4, kind=DEL_ROUTE)) == [True]
    assert judge(route(4, LOCAL)) == [False], "comes with its address"
    assert judge(route(4, flags=0x200)) == [False], "a cache entry"
    assert judge(route(None, BLACKHOLE)) == [True]


def test_after_lost_messages_nothing_is_known() -> None:
    changes = ChangeFilter()
    before = [*parse_changes(link(4, 0x10041) + address(4, "10.9.0.1"))]
    assert [changes.matters(change) for change in before] == [True, True]
    assert changes.matters(Trouble(0))
    assert [changes.matters(change) for change in before] == [True, True]
