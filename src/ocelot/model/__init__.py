"""The network and its files: no policy about where inputs come from."""
