"""wscli: one manager, one connection a channel, shared by every script of a machine.

`Client` and `AsyncClient` are the Python API; they are imported once they are asked for, since every command imports
this package first.
"""

from wscli.version import __version__

__all__ = ["AsyncClient", "Client", "Gap", "Message", "__version__"]

TYPE_CHECKING = False  # typing's own, without the milliseconds that typing takes
if TYPE_CHECKING:
    from wscli.client.aio import AsyncClient
    from wscli.client.messages import Gap, Message
    from wscli.client.sync import Client
else:
    _HOMES = {
        "AsyncClient": "wscli.client.aio",
        "Client": "wscli.client.sync",
        "Gap": "wscli.client.messages",
        "Message": "wscli.client.messages",
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)

    def __dir__():
        return sorted({*globals(), *__all__})
