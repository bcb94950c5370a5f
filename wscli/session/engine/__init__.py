"""A session as it runs on one connection; pure: it gets what happened, and gives back what to do."""
