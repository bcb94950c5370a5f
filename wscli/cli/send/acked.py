"""``send --wait-ack``: each message is sent once the server has acknowledged the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wscli.cli.interrupts import uninterrupted
from wscli.cli.request import decoded
from wscli.cli.send.outcomes import Outcomes
from wscli.cli.send.sender import Sender
from wscli.client import requests
from wscli.client.replies import check_match
from wscli.client.sync import Client, run_exchange
from wscli.control.client import ANSWER_GRACE, ManagerConnection
from wscli.control.protocol import split_block
from wscli.control.selection import Selection
from wscli.errors import WscliError, error_for

if TYPE_CHECKING:
    from wscli.control.requests import Framing, SendRequest

__all__ = ["AckedSender"]


class AckedSender(Sender):
    """Sends each message in a request of its own; its first request keeps the channel in use between them.

    Raises:
        UsageError: the expression does not compile.
    """

    def __init__(
        self, selection: Selection, client: ManagerConnection, args: SendRequest, outcomes: Outcomes, *, ack: str
    ) -> None:
        check_match(ack, refers=False)
        super().__init__(client, args, args["timeout"] + ANSWER_GRACE, outcomes)
        self._asker = Client(selection.name, file=selection.file)
        self._ack = ack
        self._timeout = args["timeout"]

    def block(self, payload: bytes, framing: Framing) -> None:
        """Send the messages of a block; each has its own deadline.

        Raises:
            TimedOut: a message was sent, and no acknowledgement came in time.
            WscliError: what ``Client.request`` raises for the first that failed.
        """
        if not self.begun:
            self.open()
        for message in split_block(payload, framing):
            with self._outcomes.reporting():
                try:
                    self._ask(message if self._args["binary"] else decoded(message))
                except WscliError as error:
                    raise error_for(error.exit_code, self._counted(error.message), error.hint) from None
                except KeyboardInterrupt:
                    self._outcomes.lost(1)
                    raise
                with uninterrupted():
                    self._add(1, len(message))
                    self._outcomes.succeeded("acked")
                    self._outcomes.settled()

    def _ask(self, message: str | bytes) -> None:
        channel = self._args["channel"]
        wanted = requests.exchange(channel, message, self._ack, self._timeout, expand=False, called="acknowledgement")
        run_exchange(self._asker, wanted, on_sent=self._outcomes.sent)
