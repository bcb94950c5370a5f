"""A scripted server for each preset, written from its protocol's document."""
