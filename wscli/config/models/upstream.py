"""How a connection is opened, kept alive and replaced: the settings that an endpoint or a channel has of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wscli.config.models.fields import Text
from wscli.values import Duration, Rate, RateOf, StrictModel

__all__ = ["ConnectModel", "Keepalive", "KeepaliveOf", "ProxyModel", "Rotate"]


class ProxyModel(StrictModel):
    """A proxy with its credentials apart."""

    url: Annotated[Text, Field(description="http://, https://, socks5://, socks5h:// or socks4:// HOST:PORT")]
    username: Annotated[Text | None, Field(description="the user to authenticate as")] = None
    password: Annotated[Text | None, Field(description="the user's password")] = None


class ConnectModel(StrictModel):
    """How dials are made, for all channels of the endpoint together."""

    timeout: Annotated[Duration, Field(gt=0, description="for all of DNS, TCP, proxy, TLS and upgrade together")] = 10.0
    rate: Annotated[RateOf, Field(description="the connect budget: so many dials at most, critical channels first")] = (
        Rate(10, 1.0)
    )


class Keepalive(StrictModel):
    """Protocol pings; ``ping`` None: no pings."""

    ping: Annotated[Duration | None, Field(gt=0, description="a ping this often")] = 20.0
    timeout: Annotated[Duration, Field(gt=0, description="a pong later than this means that the peer is gone")] = 20.0


KeepaliveOf = Annotated[
    Literal["none"] | Keepalive,
    Field(description="{ping: DURATION, timeout: DURATION}, or none for no pings; default: 20s each"),
]


class Rotate(StrictModel):
    """When a ready connection is replaced: the next one is ready before it closes."""

    before_expiry: Annotated[
        Duration | None, Field(gt=0, description="so long before the first of its tokens expires")
    ] = None
    max_age: Annotated[
        Duration | None, Field(ge=1, description="so long after it became ready, or up to a tenth sooner; at least 1s")
    ] = None
