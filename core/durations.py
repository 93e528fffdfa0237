"""How people write how often: 90s, 15m, 2h, 1d."""

import re
from datetime import timedelta
from typing import Final

UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def duration(text: object) -> timedelta:
    """Raises ValueError, saying how it is written."""
    found = re.fullmatch(r"([1-9]\d{0,5})([smhdw])", str(text).strip())
    if not found:
        raise ValueError(f"not a duration: {str(text)[:40]!r}; for example 15m, 2h or 1d")
    return int(found[1]) * UNITS[found[2]]
