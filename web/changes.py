"""What a revision of a text changed, word by word, as pieces that a template escapes one by one."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final, Literal, NamedTuple

MOST_WORDS: Final = 3000  # that differ; comparing longer stretches takes seconds
KEPT_CHARS: Final = 60  # of what stayed, on each side of a change
_WORD: Final = re.compile(r"[A-Za-z0-9_]+|\s+|.", re.DOTALL)  # a Chinese character by itself


class Change(NamedTuple):
    """A stretch that stayed, went or came. `is_cut`: its middle is left out."""

    kind: Literal["same", "gone", "new"]
    text: str
    rest: str = ""

    @property
    def is_cut(self) -> bool:
        return bool(self.rest)


def changes(before: str, after: str) -> list[Change]:
    """How `after` came from `before`; empty where they are the same."""
    if before == after:
        return []
    return list(_shortened(list(_changes(_WORD.findall(before), _WORD.findall(after)))))


def _changes(old: list[str], new: list[str]) -> Iterator[Change]:
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    if start:
        yield Change("same", "".join(old[:start]))
    gone, came = old[start : len(old) - end], new[start : len(new) - end]
    if len(gone) > MOST_WORDS or len(came) > MOST_WORDS:
        yield from _exchanged(gone, came)
    else:
        for name, a, b, c, d in SequenceMatcher(None, gone, came).get_opcodes():
            if name == "equal":
                yield Change("same", "".join(gone[a:b]))
            else:
                yield from _exchanged(gone[a:b], came[c:d])
    if end:
        yield Change("same", "".join(old[len(old) - end :]))


def _exchanged(gone: list[str], came: list[str]) -> Iterator[Change]:
    if gone:
        yield Change("gone", "".join(gone))
    if came:
        yield Change("new", "".join(came))


def _shortened(found: list[Change]) -> Iterator[Change]:
    """Long stretches that stayed, without their middle; at the ends without what is far from a change."""
    for nth, one in enumerate(found):
        if one.kind != "same" or len(one.text) <= 2 * KEPT_CHARS:
            yield one
            continue
        head = "" if nth == 0 else one.text[:KEPT_CHARS]
        tail = "" if nth == len(found) - 1 else one.text[-KEPT_CHARS:]
        yield Change("same", head, tail or "\u2026")
