"""What happens on a connection between its upgrade and its end: the seam to the upstream, and what lies behind it."""
