"""``session:`` compiled to ``wscli.session.plan``: every problem at its line, and refused where it cannot work."""
