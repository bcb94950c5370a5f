"""``send --wait-ack``: each message is sent once the server has acknowledged the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.cli.outcomes import Outcomes
from wscli.cli.request import decoded
from wscli.cli.sending import Sender, messages_of
from wscli.client import asked
from wscli.client.matching import check
from wscli.client.sync import Client, carry_out
from wscli.control.client import Client as Connection
from wscli.control.selection import Selection
from wscli.errors import WscliError, error_for

if TYPE_CHECKING:
    from wscli.control.messages import Framing

__all__ = ["AckedSender"]


class AckedSender(Sender):
    """Sends message after message, on requests of their own; its own one keeps the channel in use between them.

    Raises:
        UsageError: the expression does not compile.

    """

    def __init__(
        self,
        selection: Selection,
        connection: Connection,
        args: dict[str, Any],
        patience: float,
        outcomes: Outcomes,
        *,
        ack: str,
    ) -> None:
        check(ack, refers=False)
        super().__init__(connection, args, patience, outcomes)
        self._asker = Client(selection.name, file=selection.file)
        self._ack = ack

    def block(self, payload: bytes, framing: Framing) -> None:
        """Send the messages of a block; each has its own deadline.

        Raises:
            TimedOut: a message was sent, and no acknowledgement came in time.
            WscliError: what ``Client.request`` raises for the first that failed.

        """
        if not self.begun:
            self.begin()
        for message in messages_of(payload, framing):
            self._outcomes.begin()
            with self._outcomes.telling():
                try:
                    self._ask(message if self._args["binary"] else decoded(message))
                except WscliError as error:
                    raise error_for(error.exit_code, self._counted(error.message), error.hint) from None
            self._outcomes.well("acked")
            self._sent += 1

    def _ask(self, message: str | bytes) -> None:
        channel, timeout = self._args["channel"], self._args["timeout"]
        wanted = asked.exchange(channel, message, self._ack, timeout, expand=False, called="acknowledgement")
        carry_out(self._asker, wanted, on_sent=self._outcomes.hand_over)
