"""The manager's answers, one verb a file, mirroring the commands."""
