"""What is decided of a client before its upgrade is answered."""
