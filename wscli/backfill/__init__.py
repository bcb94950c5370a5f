"""``backfill:``, what a channel missed and the server still has: how it is asked for, and what the answer holds.

``models`` is the declaration, ``gaps`` what a call says of a gap, ``answers`` the messages of an answer; none of them
does I/O.
"""
