"""The text of an article out of its page, without menus, adverts and comments."""

import functools
import warnings
from typing import Any, Final

from core.logs import get_logger
from streams.sources.charsets import decoded
from streams.sources.fetching import Fetched

log = get_logger(__name__)

PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})


def article_text(page: Fetched) -> str:
    """The article of a page; empty when none is found. Takes CPU time: not for an event loop."""
    html = decoded(page.body, page.charset)
    try:
        found = _trafilatura().extract(html, url=page.url, include_comments=False, include_tables=False)
    except Exception as error:  # damaged pages break its parts in many ways; the summary is there all the same
        log.info("article_not_read", url=page.url, reason=f"{type(error).__name__}: {error}")
        return ""
    return found or ""


@functools.cache
def _trafilatura() -> Any:
    """Imported when first needed: it takes time and memory, and only feeds with `article` use it."""
    with warnings.catch_warnings(action="ignore"):  # its own downloader lacks SOCKS, and is not used
        import trafilatura
    return trafilatura
