"""What makes two texts copies of one another: a pure relation between their signatures.

A text is folded (`core.folding`), stripped of addresses, punctuation and white space, and cut into shingles: two
characters where the script puts no spaces between words, three elsewhere. MinHash (rensa) turns the set of shingles
into a sketch of 128 bytes; the share of equal bytes estimates the Jaccard similarity J of two sets. Texts are copies
when their sketches have a band in common (so that an index can find the pair) and J reaches a threshold, which is
higher for shorter texts: in twenty characters two notices of one template differ by less than an edited copy does.
Or when the shorter one stands, by the same estimate, almost whole in the longer one: a copy cut off, or with a line
put before or after. Not when both are full of numbers and share hardly any: those are
two reports. The figures behind each constant are in docs/why/copies.md.

Everything is derived from the text alone, by hashes with fixed seeds: every process, on any machine and day, gives a
text the same signature.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from core.folding import fold

SKETCH_BYTES: Final = 128  # J is estimated with a standard error of at most 0.045
SEED: Final = 20_240_501
ROWS: Final = 3  # bytes of a sketch that make a band
STREAM_BANDS: Final = 12  # each is an entry of an index
FILE_BANDS: Final = SKETCH_BYTES // ROWS  # in memory a band costs little

LEAST_CHARS: Final = 12  # a shorter text says what thousands say by themselves: never a copy
LEAST_SHINGLES: Final = 8  # the same for "哈哈哈哈哈哈哈哈哈哈哈哈"
SPACELESS_FLOOR: Final = 0.40
SPACED_FLOOR: Final = 0.34
SHORTNESS: Final = 3.0  # added to the floor, divided by the number of shingles
CONTAINED: Final = 0.8
CONTAINED_LEAST_J: Final = 0.2
CONTAINED_LEAST_SHINGLES: Final = 50
FEWEST_FIGURES: Final = 2  # from here on they say whether two texts of one template report the same
COMMON_FIGURES: Final = 0.5
KEPT_FIGURES: Final = 16

_ADDRESS: Final = re.compile(r"(?:https?://|www\.)[!-~]+", re.IGNORECASE)
_NO_WORD: Final = re.compile(r"[\W_]+")
_FIGURE: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)*[0-9]")
_FIRST_SPACELESS: Final = 0x2E80  # Han, kana, Hangul and their extensions lie above
_THREE: Final = 1 << 42  # a number of three code points
_CHANCE: Final = 1 / 256  # that two bytes of different minima are equal


class Signature(NamedTuple):
    """What is compared of a text.

    Attributes:
        fingerprint: 64 bits of the folded text; equal for texts that differ in nothing but case, width,
            punctuation, white space and addresses.
        sketch: a byte of each minimum.
        shingles: how many different ones.
        threshold: the least J of a copy, as far as this text is concerned.
        figures: two bytes for each of its numbers of two digits or more: at most 16, those with the least hashes.
    """

    fingerprint: int
    sketch: bytes
    shingles: int
    threshold: float
    figures: bytes


def compared(text: str) -> str:
    """The characters of a text that count: letters and digits, folded, addresses left out."""
    return _NO_WORD.sub("", fold(_ADDRESS.sub(" ", unicodedata.normalize("NFKC", text))).text)


def compared_text(title: str | None, body: str) -> str:
    """What of a document is compared."""
    return f"{title}\n{body}" if title else body


def sign(texts: Sequence[str]) -> list[Signature | None]:
    """The signature of each text; None where it is too short to be anybody's copy."""
    signatures: list[Signature | None] = [None] * len(texts)
    kept: list[tuple[int, str]] = []
    sets: list[NDArray[np.uint64]] = []
    for n, text in enumerate(texts):
        folded = compared(text)
        if len(folded) < LEAST_CHARS:
            continue
        shingles = _shingles(folded)
        if len(shingles) >= LEAST_SHINGLES:
            kept.append((n, folded))
            sets.append(shingles)
    if not kept:
        return signatures
    ends = np.cumsum([0, *map(len, sets)], dtype=np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(_mixed(np.concatenate(sets)), ends, SKETCH_BYTES, SEED)
    sketches = np.array(matrix.to_rows(), dtype=np.uint32).astype(np.uint8)
    for (n, folded), sketch, shingles in zip(kept, sketches, sets, strict=True):
        digest = hashlib.blake2b(folded.encode("utf-8", "replace"), digest_size=8).digest()
        is_spaced = np.count_nonzero(shingles >= _THREE) * 2 > len(shingles)
        floor = SPACED_FLOOR if is_spaced else SPACELESS_FLOOR
        signatures[n] = Signature(
            fingerprint=int.from_bytes(digest, signed=True),
            sketch=sketch.tobytes(),
            shingles=len(shingles),
            threshold=floor + SHORTNESS / len(shingles),
            figures=_figures(texts[n]),
        )
    return signatures


def bands(sketch: bytes, count: int) -> list[int]:
    """The keys under which an index finds the copies of a text: equal bytes in an equal place give an equal key."""
    return [nth << (8 * ROWS) | int.from_bytes(sketch[nth * ROWS : (nth + 1) * ROWS]) for nth in range(count)]


class Signatures:
    """Many signatures as columns, so that one text can be held against all of them at once."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        self._sketches = np.frombuffer(b"".join(one.sketch for one in signatures), dtype=np.uint8)
        self._sketches = self._sketches.reshape(len(signatures), SKETCH_BYTES)
        self._thresholds = np.array([one.threshold for one in signatures])
        self._shingles = np.array([one.shingles for one in signatures])
        self._figures = [one.figures for one in signatures]

    def copies_of(self, one: Signature, band_count: int, among: Sequence[int]) -> Iterator[int]:
        """Those places of `among` whose text is a copy of this one; as many are worked out as are asked for."""
        sketch = np.frombuffer(one.sketch, dtype=np.uint8)
        for start in range(0, len(among), COMPARED_AT_ONCE):
            places = np.array(among[start : start + COMPARED_AT_ONCE])
            equal = self._sketches[places] == sketch
            is_near = equal[:, : band_count * ROWS].reshape(len(places), band_count, ROWS).all(axis=2).any(axis=1)
            is_near &= are_close(
                of_equal_bytes(np.count_nonzero(equal, axis=1)),
                np.maximum(one.threshold, self._thresholds[places]),
                np.full(len(places), one.shingles),
                self._shingles[places],
            )
            for place in places[is_near].tolist():
                if report_the_same(one.figures, self._figures[place]):
                    yield place


COMPARED_AT_ONCE = 64  # in a cluster of copies the first few tell


def similarity(one: Signature, other: Signature) -> float:
    """The Jaccard similarity of their shingles, estimated."""
    equal = np.frombuffer(one.sketch, dtype=np.uint8) == np.frombuffer(other.sketch, dtype=np.uint8)
    return float(of_equal_bytes(np.count_nonzero(equal, keepdims=True))[0])


def of_equal_bytes(count: NDArray[np.int64]) -> NDArray[np.float64]:
    """The similarity that so many equal bytes of two sketches speak of."""
    estimated: NDArray[np.float64] = np.maximum(0.0, (count / SKETCH_BYTES - _CHANCE) / (1 - _CHANCE))
    return estimated


def are_copies(one: Signature, others: Sequence[Signature], band_count: int) -> list[bool]:
    """Whether a text is a copy of each of the others; the same whichever of two is asked for the other."""
    if not others:
        return []
    found = set(Signatures(others).copies_of(one, band_count, range(len(others))))
    return [n in found for n in range(len(others))]


def are_close(
    j: NDArray[np.float64], threshold: NDArray[np.float64], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which pairs are similar enough, or nearly one within the other.

    Args:
        j: the similarity of each pair. threshold: the higher of its two. one, other: how many shingles they have.
    """
    shorter = np.minimum(one, other)
    shared = j / (1 + j) * (one + other)
    is_within = (j >= CONTAINED_LEAST_J) & (shorter >= CONTAINED_LEAST_SHINGLES) & (shared >= CONTAINED * shorter)
    return (j >= threshold) | is_within


def report_the_same(one: bytes, other: bytes) -> bool:
    """False for two texts with numbers that have hardly one in common, say two days' reports of one market; a number
    weighs what it is long."""
    fewer, more = sorted(
        (_figures_of(one), _figures_of(other)), key=lambda figures: (_weight(figures), sorted(figures))
    )
    return len(fewer) < FEWEST_FIGURES or _weight(fewer & more) >= COMMON_FIGURES * _weight(fewer)


def _figures_of(figures: bytes) -> set[bytes]:
    return {figures[n : n + 2] for n in range(0, len(figures), 2)}


def _weight(figures: set[bytes]) -> int:
    return sum(figure[0] >> 4 for figure in figures)


def _figures(text: str) -> bytes:
    found = set(_FIGURE.findall(unicodedata.normalize("NFKC", text)))
    return b"".join(sorted(map(_figure, found), key=lambda figure: (figure[0] & 15, figure))[:KEPT_FIGURES])


def _figure(written: str) -> bytes:
    """Four bits for its length, twelve of its hash."""
    digest = hashlib.blake2b(written.encode(), digest_size=2).digest()
    return bytes((min(len(written), 15) << 4 | digest[0] & 15, digest[1]))


def _shingles(folded: str) -> NDArray[np.uint64]:
    """The different shingles of a folded text, each as its code points side by side in one number."""
    points = np.frombuffer(folded.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    is_spaced = points < _FIRST_SPACELESS
    pairs = points[:-1] << np.uint64(21) | points[1:]
    threes = pairs[:-1] << np.uint64(21) | points[2:]
    take_three = is_spaced[:-2] & is_spaced[1:-1] & is_spaced[2:]
    inside = np.where(take_three, threes, pairs[:-1])
    last = pairs[-1:] if not (is_spaced[-1] and is_spaced[-2]) else pairs[:0]
    return np.unique(np.concatenate((inside, last)))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014): neighbours in, unrelated numbers out."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
