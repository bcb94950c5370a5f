"""What happens on an open connection: log-in, subscriptions, heartbeats, acknowledgements, resumption; no I/O.

An endpoint declares it as ``session:``; docs/sessions.md explains that to its users. ``plan`` has the compiled form,
``session`` runs it on one connection: it gets what happened, and gives back ``actions`` that others carry out.
"""
