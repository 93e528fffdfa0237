from streams.store import ledger_lines
from tests.support.records import raw


def test_lines_account_for_every_offset():
    """Each run of offsets is one line whose fates add up; a gap in the topic begins a new line."""
    records = [raw(b"x", offset=o) for o in (0, 1, 2, 7)] + [raw(b"x", offset=4, partition=1)]
    fates = {(0, 0): "stored", (0, 1): "repeat", (0, 7): "revision", (1, 4): "stored"}
    lines = ledger_lines(records, fates)
    assert [(line.partition, line.first_offset, line.last_offset) for line in lines] == [
        (0, 0, 2),
        (0, 7, 7),
        (1, 4, 4),
    ]
    assert (lines[0].stored, lines[0].repeats, lines[0].dead_lettered) == (1, 1, 1)
