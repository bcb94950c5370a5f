"""The history of a channel: what came, in order, with gaps where something may be missing."""
