"""The fixtures of the tests of tokens and of the transport."""

from tests.tokens.conftest import clock, context, endpoint, http, other_endpoint
from tests.transport.conftest import certs

__all__ = ["certs", "clock", "context", "endpoint", "http", "other_endpoint"]
