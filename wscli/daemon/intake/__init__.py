"""What comes over a channel, on its way into the history."""

from wscli.daemon.intake.entry import Intake

__all__ = ["Intake"]
