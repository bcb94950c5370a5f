"""These tests run through the drop-in and a manager only: see ``tests/adapter/test_websockets_tests.py``."""

collect_ignore = ["asyncio", "sync"]
