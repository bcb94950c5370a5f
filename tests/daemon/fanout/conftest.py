"""The history that one channel's readers read."""

import pytest

from tests.daemon.fanout.reading import history_of


@pytest.fixture
def history():
    return history_of()
