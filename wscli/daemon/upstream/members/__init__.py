"""The channels of an upstream."""
