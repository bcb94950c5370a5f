"""Commands that are run for what happens on a channel."""
