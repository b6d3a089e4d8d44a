"""Rerank with a vision language model."""
