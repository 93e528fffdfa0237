"""Where a login may lead: pages of this console, never another site."""

import re
from typing import Final

# No second slash and no backslash at the start (browsers read both as a host), nothing that ends a header.
_OWN: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
MOST_CHARS: Final = 2000
NOT_AGAIN: Final = ("/login", "/logout")


def own_page(wanted: str | None) -> str:
    """The page, if it is one of ours that can be shown; else the first page."""
    if not wanted or len(wanted) > MOST_CHARS or not _OWN.fullmatch(wanted) or wanted.startswith(NOT_AGAIN):
        return "/"
    return wanted
