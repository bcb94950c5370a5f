"""Awareness of the network: routes that come and go, a machine that slept."""
