"""Which records came before."""


class Repeats:
    """Remembers the newest ids, up to a bound."""

    def __init__(self, remembered: int = 100_000) -> None:
        self._remembered = remembered
        self._seen: dict[str, None] = {}

    def is_new(self, ce_id: str) -> bool:
        """Whether this id was not seen; remembers it."""
        if ce_id in self._seen:
            return False
        if len(self._seen) >= self._remembered:
            del self._seen[next(iter(self._seen))]
        self._seen[ce_id] = None
        return True
