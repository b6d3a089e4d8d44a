"""Access to the server, and limits of what it accepts."""
