"""The answer of 101: whether it is a valid upgrade, and what it agrees on (RFC 6455, section 4.1).

A header that is sent twice with one value counts once: proxies send such answers, and no rule needs them refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from websockets.exceptions import InvalidHandshake
from websockets.extensions import ClientExtensionFactory, Extension
from websockets.headers import parse_extension
from websockets.utils import accept_key

from wscli.transport.dial.response import ResponseHead

__all__ = ["Agreement", "agree"]

_MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Agreement:
    """The subprotocol and the extensions that the server selected."""

    subprotocol: str | None
    extensions: tuple[Extension, ...]

    @property
    def summary(self) -> str:
        """Describe the answer: ``HTTP 101, subprotocol v2, permessage-deflate``."""
        subprotocol = () if self.subprotocol is None else (f"subprotocol {self.subprotocol}",)
        return ", ".join(["HTTP 101", *subprotocol, *(extension.name for extension in self.extensions)])


def agree(
    head: ResponseHead, key: str, subprotocols: Sequence[str], extensions: Sequence[ClientExtensionFactory]
) -> Agreement:
    """Check an answer of 101 to a request with this ``Sec-WebSocket-Key`` and these offers.

    Raises:
        ValueError: the answer is invalid; the text names the rule that it breaks, and may quote remote text.
    """
    upgrade = {token.lower() for token in head.tokens("upgrade")}
    if upgrade != {"websocket"}:
        raise ValueError(_wrong(head, "Upgrade", "be 'websocket'"))
    if "upgrade" not in {token.lower() for token in head.tokens("connection")}:
        raise ValueError(_wrong(head, "Connection", "contain 'Upgrade'"))
    accepted = set(head.all("sec-websocket-accept"))
    if len(accepted) != 1:
        raise ValueError(f"Sec-WebSocket-Accept {'has two values' if accepted else 'is missing'}")
    if accepted != {accept_key(key)}:
        raise ValueError("Sec-WebSocket-Accept does not match")
    return Agreement(_subprotocol(head, subprotocols), _extensions(head, extensions))


def _wrong(head: ResponseHead, name: str, rule: str) -> str:
    values = head.all(name.lower())
    return f"{name} must {rule}, not {_shown(', '.join(values))}" if values else f"{name} is missing"


def _shown(text: str) -> str:
    return repr(text[:_MAX_SHOWN])


def _subprotocol(head: ResponseHead, offered: Sequence[str]) -> str | None:
    selected = tuple(dict.fromkeys(head.tokens("sec-websocket-protocol")))
    if len(selected) > 1:
        raise ValueError(f"two subprotocols are selected: {_shown(', '.join(selected))}")
    if selected and selected[0] not in offered:
        raise ValueError(f"the subprotocol {_shown(selected[0])} was not offered")
    return selected[0] if selected else None


def _extensions(head: ResponseHead, offered: Sequence[ClientExtensionFactory]) -> tuple[Extension, ...]:
    factories = {factory.name: factory for factory in offered}
    found: list[Extension] = []
    for value in dict.fromkeys(filter(None, head.all("sec-websocket-extensions"))):
        try:
            for name, parameters in parse_extension(value):
                if name not in factories:
                    raise ValueError(f"the extension {_shown(name)} was not offered")
                found.append(factories[name].process_response_params(parameters, found))
        except InvalidHandshake:  # its text is for developers of extensions
            raise ValueError(f"invalid Sec-WebSocket-Extensions: {_shown(value)}") from None
    return tuple(found)
