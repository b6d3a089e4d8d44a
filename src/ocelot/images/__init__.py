"""Images: read within limits, turned into RGB, kept as small copies and uploads."""
