"""The outbox: messages that wait on the disk until their channel is ready.

``store`` is the SQLite file, ``thread`` runs it off the event loop. ``delivery`` sends the messages of one channel,
``waiters`` passes outcomes to clients. ``service`` joins them: the ``Outbox`` that the manager's process holds.
"""

from wscli.daemon.outbox.service import Outbox

__all__ = ["Outbox"]
