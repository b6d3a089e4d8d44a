"""The reference of the HTTP API at /docs: the OpenAPI description as a page to read and to try.

It is rendered on the server, with one small script: the usual viewers are megabytes of JavaScript
that need a weaker content policy or another host.
"""
