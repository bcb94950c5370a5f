"""The outbox: messages that wait on the disk until their channel is ready."""

from wscli.daemon.outbox.service import Outbox

__all__ = ["Outbox"]
