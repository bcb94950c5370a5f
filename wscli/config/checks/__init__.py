"""What the types do not say: references, templates, URLs, files, names, merged policies and verdicts."""
