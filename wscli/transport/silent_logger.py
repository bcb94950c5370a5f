"""A logger without output, for libraries that log every header at DEBUG, tokens included."""

from __future__ import annotations

import logging

__all__ = ["SILENT_LOGGER"]

# Not registered, so that no logging configuration can enable it.
_silent = logging.Logger("wscli.wire")
_silent.disabled = True

# An adapter, because picows makes a child of a Logger for each connection.
SILENT_LOGGER = logging.LoggerAdapter(_silent, {})
