"""Pictures: decoded within limits, and kept as small copies."""
