"""The clock and the scripted endpoints of the tests of tokens."""

from tests.tokens.conftest import clock, context, endpoint, http, other_endpoint

__all__ = ["clock", "context", "endpoint", "http", "other_endpoint"]
