"""What all readers of a stream share: the ring, the memory of repeats, and the bytes."""

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from core import cursors
from streams.live.consuming import Fitted
from streams.live.feed import safe_json
from streams.live.repeats import Repeats
from streams.live.ring import Ring


def filled(seed: int, count: int, *, most_records: int = 50) -> tuple[Ring, list[tuple[int, int]]]:
    """A ring after so many records of three partitions, some of them left out; and those that went in."""
    rng = random.Random(seed)
    ring = Ring("t", most_records=most_records, most_bytes=10_000, most_seconds=30)
    ring.place([5, 0, 100])
    added = []
    for now in range(count):
        partition = rng.randrange(3)
        offset = ring.positions[partition]
        ring.passed(partition, offset)
        if rng.random() < 0.8:
            ring.add(partition, offset, "value", b"body", now)
            added.append((partition, offset))
        ring.trim(now)
    return ring, added


@given(seed=st.integers(0, 10_000), count=st.integers(0, 3000))
def test_a_reader_that_the_ring_covers_finds_all_that_it_lacks(seed: int, count: int) -> None:
    """From the ring's start on, what is held is exactly what was added at or after it; one offset less, and it is not
    covered if a record was added there."""
    ring, added = filled(seed, count)
    held = [(entry.partition, entry.offset) for entry in ring.after(ring.first, 10_000)]
    assert ring.covers(ring.start)
    assert held == [(p, o) for p, o in added if o >= ring.start[p]]
    assert ring.end - ring.first == len(held) <= 50
    for partition in range(3):
        below = list(ring.start)
        below[partition] -= 1
        assert not ring.covers(below)


@given(seed=st.integers(0, 10_000))
def test_the_cursor_of_an_entry_is_where_its_reader_stands(seed: int) -> None:
    """Who has had the entries up to one, and goes on at its cursor, gets those after it and none before."""
    ring, _ = filled(seed, 200)
    entries = ring.after(ring.first, 10_000)
    for place in range(0, len(entries), 7):
        offsets = cursors.read("t", entries[place].cursor)
        later = [entry for entry in entries if entry.offset >= offsets[entry.partition]]
        assert later == entries[place + 1 :]


def test_old_and_large_entries_are_let_go() -> None:
    """Age and bytes bound the ring too, and an empty one covers whoever has had everything."""
    ring = Ring("t", most_records=100, most_bytes=1000, most_seconds=30)
    ring.place([0])
    for offset in range(20):
        ring.passed(0, offset)
        ring.add(0, offset, "v", b"x" * 200, 0.0)
        ring.trim(0.0)
    assert ring.end - ring.first == 4
    ring.trim(31.0)
    assert ring.end == ring.first == 20
    assert ring.covers([20])
    assert not ring.covers([19])


def test_a_repeat_is_one_by_its_place_in_the_log() -> None:
    """The same record read again is none, whoever reads it; a later one with its id is; memory is bounded."""
    repeats = Repeats(remembered=3)
    assert not repeats.is_repeat("a", 5)
    assert not repeats.is_repeat("a", 5)
    assert repeats.is_repeat("a", 6)
    assert repeats.knows_earlier("a", 6)
    assert not repeats.knows_earlier("a", 5)
    assert not repeats.is_repeat("a", 2), "what is read from further back comes first"
    assert repeats.is_repeat("a", 5)
    for n in range(3):
        repeats.is_repeat(str(n), n)
    assert not repeats.knows_earlier("a", 6)


def test_offsets_are_fitted_into_the_log() -> None:
    """What expired is counted; what was never there is unknown; partitions that are new begin with the log."""
    assert Fitted.of([3, 7], [0, 0], [9, 7]) == Fitted([3, 7])
    assert Fitted.of([3, 7], [5, 0], [9, 7]) == Fitted([5, 7], "expired", 2)
    assert Fitted.of([3, 8], [1, 2], [9, 7]) == Fitted([1, 2], "unknown")
    assert Fitted.of([3], [1, 2], [9, 7]) == Fitted([3, 2])


@given(text=st.text())
def test_data_is_one_line_that_means_nothing_to_html(text: str) -> None:
    """Whatever a stranger wrote comes back as it was, and none of it can end a script or an event."""
    written = safe_json({"text": text})
    assert json.loads(written) == {"text": text}
    assert not {"<", ">", "&", "\r", "\n", "\u2028", "\u2029"} & set(written.decode())
