"""The attempts of an upstream: dials, the connections that they open, and the channels on each."""
