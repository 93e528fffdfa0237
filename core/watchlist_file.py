"""The YAML file of watchlists: read as `core.entry_files` reads such files, and written from what is stored."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from core.entry_files import EntryFile
from core.watchlist_entries import Entry, cause_of, definition_of
from core.watchlists import Watchlist, Watchlists

REMEDY: Final = "docs/how-to/watch-brands.md describes the file"
_FILE: Final = EntryFile("watchlists", Entry, cause_of, REMEDY)


def load_watchlists(path: Path | None) -> Watchlists:
    """Read a watchlist file; none at all watches nothing.

    Raises:
        ConfigError: it cannot be read or used; the message names file, line, entry and field.
    """
    return Watchlists(read_watchlists(path)) if path is not None else Watchlists()


def read_watchlists(path: Path) -> list[Watchlist]:
    """The entries of a watchlist file, in its order.

    Raises:
        ConfigError: as `load_watchlists`.
    """
    return [entry.watchlist() for entry in _FILE.read(path)]


def written(watchlists: Iterable[Watchlist]) -> str:
    """A watchlist file that `read_watchlists` reads as the same watchlists."""
    return _FILE.write([{"name": watchlist.name, **definition_of(watchlist)} for watchlist in watchlists])
