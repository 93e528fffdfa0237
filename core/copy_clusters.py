"""Clusters of copies among many texts at once: the connected components of `core.copies`, whatever the order."""

from collections import defaultdict
from collections.abc import Sequence

from core.copies import Signature, are_copies, bands


class DisjointSets:
    """Which of the numbers 0, 1, … belong together; a set is named by its smallest member."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def find(self, n: int) -> int:
        """The name of the set of `n`."""
        parent = self._parent
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    def join(self, one: int, other: int) -> None:
        """Make two sets one."""
        one, other = sorted((self.find(one), self.find(other)))
        self._parent[other] = one

    def sets(self) -> list[list[int]]:
        """All sets, in the order of their names; members in order."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for n in range(len(self._parent)):
            found[self.find(n)].append(n)
        return list(found.values())


def components(
    signatures: Sequence[Signature | None],
    band_count: int,
    days: Sequence[int] | None = None,
    window_days: int = 0,
) -> list[list[int]]:
    """Which texts are copies of one another, directly or through others; every text is in one component.

    Time grows with the number of texts and with the pairs of different texts that share a band; a text that occurs
    many times is compared once. Memory: about a kilobyte for each different text.

    Args:
        signatures: None for a text that is nobody's copy.
        days: of publication; with them, only texts at most `window_days` apart are copies.
    """
    joined = DisjointSets(len(signatures))
    first: dict[tuple[int, int], int] = {}
    for n, signature in enumerate(signatures):
        if signature is not None:
            joined.join(first.setdefault((signature.fingerprint, days[n] if days else 0), n), n)
    index: defaultdict[int, list[int]] = defaultdict(list)
    for n in first.values():
        signature = signatures[n]
        if signature is None:
            continue
        keys = bands(signature.sketch, band_count)
        near = {m for key in keys for m in index[key]} if index else set()
        if days:
            near = {m for m in near if abs(days[m] - days[n]) <= window_days}
        _join_copies(joined, signatures, n, sorted(near), band_count)
        for key in keys:
            index[key].append(n)
    return joined.sets()


AT_ONCE = 256


def _join_copies(
    joined: DisjointSets, signatures: Sequence[Signature | None], n: int, near: Sequence[int], band_count: int
) -> None:
    """Join `n` with its copies among `near`; one that is known to belong to `n` is not compared again."""
    signature = signatures[n]
    if signature is None:
        return
    for start in range(0, len(near), AT_ONCE):
        name = joined.find(n)
        others = [(m, s) for m in near[start : start + AT_ONCE] if joined.find(m) != name and (s := signatures[m])]
        for (m, _), is_copy in zip(others, are_copies(signature, [s for _, s in others], band_count), strict=True):
            if is_copy:
                joined.join(n, m)
