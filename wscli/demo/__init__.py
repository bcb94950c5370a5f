"""The embedded demo back end: a small telehealth-like server."""
