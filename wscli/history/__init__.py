"""The history of a channel: numbered messages, in order, with gaps where some may be missing."""
