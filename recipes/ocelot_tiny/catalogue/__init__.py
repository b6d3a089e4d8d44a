"""The procedural demo catalogue: pictures of products drawn by code."""
