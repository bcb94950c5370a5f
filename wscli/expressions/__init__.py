"""jq expressions: compiled here and nowhere else, and evaluated here or in a child process that can be ended."""
