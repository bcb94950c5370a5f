"""Measurements of wscli beside other programs, in one run on one machine: ``python -m bench``, ``make bench``.

They are no tests: nothing here has a limit that it must keep.
"""
