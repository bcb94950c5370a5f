"""Between the commands and the manager: messages, frames, paths, the one client."""
