"""``backfill:``, the HTTP calls that fetch missed messages from the server; no I/O.

``models`` has the settings, ``gaps`` the parameters of a call, ``answers`` the messages of an answer.
"""
