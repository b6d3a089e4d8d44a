"""Fetch a file over HTTP and unpack an archive, without trusting either.

::

    url ──▶ FILE.part ──▶ FILE ──▶ .DIR.unpacking ──▶ DIR
            resumed       whole     checked            whole, or not there at all
"""

from ocelot.downloads.amazon_reviews import AMAZON_REVIEWS_URL, fetch_amazon_reviews
from ocelot.downloads.archive import extract
from ocelot.downloads.transfer import download

__all__ = ["AMAZON_REVIEWS_URL", "download", "extract", "fetch_amazon_reviews"]
