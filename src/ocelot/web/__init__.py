"""The web server: an HTTP API over the service, and the page."""

from ocelot.web.app import create_app, describe, stop_streams

__all__ = ["create_app", "describe", "stop_streams"]
