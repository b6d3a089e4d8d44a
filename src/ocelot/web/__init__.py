"""The web server: an HTTP API over the service, and the page."""

from ocelot.web.app import add_page, create_app, describe, stop_streams

__all__ = ["add_page", "create_app", "describe", "stop_streams"]
