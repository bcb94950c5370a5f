"""The keys of the file, their types and what each is for, as frozen pydantic models."""
