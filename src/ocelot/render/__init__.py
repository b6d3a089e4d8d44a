"""A result as something to look at."""
