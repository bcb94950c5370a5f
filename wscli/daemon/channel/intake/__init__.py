"""The messages of a channel on their way into its history: duplicates dropped, gaps filled."""
