"""A logger that says nothing, for the libraries below: at DEBUG they would log every header, tokens included."""

from __future__ import annotations

import logging

__all__ = ["QUIET"]

# Registered nowhere, so that no logging configuration can switch it on.
_silent = logging.Logger("wscli.wire")
_silent.disabled = True

# An adapter, because picows makes a child logger for each connection of anything that is a Logger.
QUIET = logging.LoggerAdapter(_silent, {})
