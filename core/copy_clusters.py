"""Clusters of copies among many texts at once: the connected components of `core.copies`, whatever the order."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.copies import ROWS, SKETCH_BYTES, Signature, are_close, of_equal_bytes, report_the_same


class DisjointSets:
    """Which of the numbers 0, 1, … belong together; a set is named by its smallest member.

    Attributes:
        joins: how often two sets became one.
    """

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))
        self.joins = 0

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
        if one != other:
            self._parent[other] = one
            self.joins += 1

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
    many times is compared once. Memory: some hundred bytes for each different text.

    Args:
        signatures: None for a text that is nobody's copy.
        days: of publication; with them, only texts at most `window_days` apart are copies.
    """
    joined = DisjointSets(len(signatures))
    first: dict[tuple[int, int], int] = {}
    for n, signature in enumerate(signatures):
        if signature is not None:
            joined.join(first.setdefault((signature.fingerprint, days[n] if days else 0), n), n)
    if first:
        texts = _Texts(signatures, list(first.values()), days, window_days)
        for nth in range(band_count):
            texts.join_band(joined, nth)
    return joined.sets()


def followers(signatures: Sequence[Signature], band_count: int, days: Sequence[int], window_days: int) -> list[bool]:
    """Which of these texts, given in the order of publication, are copies of an earlier one."""
    found = np.zeros(len(signatures), dtype=bool)
    if signatures:
        texts = _Texts(signatures, list(range(len(signatures))), days, window_days)
        for nth in range(band_count):
            texts.mark_followers(found, nth)
    return [bool(one) for one in found]


class _Texts:
    """The different texts, as columns."""

    def __init__(
        self, signatures: Sequence[Signature | None], places: list[int], days: Sequence[int] | None, window_days: int
    ) -> None:
        kept = [one for n in places if (one := signatures[n]) is not None]
        self._places = places
        self._sketches = np.frombuffer(b"".join(one.sketch for one in kept), dtype=np.uint8)
        self._sketches = self._sketches.reshape(len(kept), SKETCH_BYTES)
        self._thresholds = np.array([one.threshold for one in kept])
        self._shingles = np.array([one.shingles for one in kept])
        self._figures = [one.figures for one in kept]
        self._days = np.array([days[n] for n in places] if days else [0] * len(places))
        self._window_days = window_days

    def _runs(self, nth: int) -> Iterator[list[int]]:
        """The texts whose sketches are equal in a band, in their order; of a text by itself there is no run."""
        keys = np.zeros(len(self._places), dtype=np.int64)
        for row in range(ROWS):
            keys = keys << 8 | self._sketches[:, nth * ROWS + row]
        order = np.argsort(keys, kind="stable")
        ends = np.flatnonzero(np.diff(keys[order], append=-1)) + 1
        starts = np.concatenate(([0], ends[:-1]))
        several = ends - starts > 1
        for start, end in zip(starts[several].tolist(), ends[several].tolist(), strict=True):
            yield order[start:end].tolist()

    def mark_followers(self, found: NDArray[np.bool_], nth: int) -> None:
        """Mark those that are copies of an earlier one whose sketch is equal in a band."""
        for run in self._runs(nth):
            later = np.array(run)
            for one in run:
                later = later[(later > one) & ~found[later]]
                if not later.size:
                    break
                for start in range(0, later.size, PAIRS_AT_ONCE):
                    pairs = [(one, other) for other in later[start : start + PAIRS_AT_ONCE].tolist()]
                    found[[other for _, other in self._copies(pairs)]] = True

    def join_band(self, joined: DisjointSets, nth: int) -> None:
        """Join the copies among texts whose sketches are equal in a band."""
        few: list[tuple[int, int]] = []
        for run in self._runs(nth):
            if len(run) <= FEW:
                few += combinations(run, 2)
            else:
                self._join_run(joined, run)
            if len(few) >= PAIRS_AT_ONCE:
                self._join_pairs(joined, few)
                few = []
        self._join_pairs(joined, few)

    def _join_run(self, joined: DisjointSets, run: list[int]) -> None:
        """Many texts of one band: each with those that do not belong to it by then."""
        members = np.array(run)
        names = self._names(joined, run)
        for n, one in enumerate(run):
            if (names[n:] == names[n]).all():
                return
            others = members[n + 1 :][names[n + 1 :] != names[n]].tolist()
            before = joined.joins
            for start in range(0, len(others), PAIRS_AT_ONCE):
                self._join_pairs(joined, [(one, other) for other in others[start : start + PAIRS_AT_ONCE]])
            if joined.joins != before:
                names = self._names(joined, run)

    def _names(self, joined: DisjointSets, run: Sequence[int]) -> NDArray[np.int64]:
        return np.array([joined.find(self._places[one]) for one in run])

    def _join_pairs(self, joined: DisjointSets, pairs: Sequence[tuple[int, int]]) -> None:
        for a, b in self._copies(pairs):
            joined.join(self._places[a], self._places[b])

    def _copies(self, pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Those pairs that are copies."""
        if not pairs:
            return
        one, other = np.array(pairs).T
        equal = np.count_nonzero(self._sketches[one] == self._sketches[other], axis=1)
        is_copy = are_close(
            of_equal_bytes(equal),
            np.maximum(self._thresholds[one], self._thresholds[other]),
            self._shingles[one],
            self._shingles[other],
        )
        is_copy &= np.abs(self._days[one] - self._days[other]) <= self._window_days
        for n in np.flatnonzero(is_copy).tolist():
            a, b = pairs[n]
            if report_the_same(self._figures[a], self._figures[b]):
                yield a, b


FEW = 8  # all pairs of so many cost less than asking which are joined by now
PAIRS_AT_ONCE = 16_384  # 4 MB of sketches
