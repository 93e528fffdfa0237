"""Cursors come back as they were, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import cursors

OFFSETS = st.lists(st.integers(0, cursors.LARGEST_OFFSET), min_size=1, max_size=70)


@given(offsets=OFFSETS)
def test_a_cursor_is_read_as_it_was_written(offsets: list[int]) -> None:
    """Any offsets of any number of partitions, in characters that need no escape in an address or a header."""
    written = cursors.write("topic", offsets)
    assert cursors.read("topic", written) == offsets
    assert set(written) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(offsets=OFFSETS, cut=st.integers(1, 8), topic=st.text(min_size=1))
def test_a_cut_cursor_and_that_of_another_topic_are_refused(offsets: list[int], cut: int, topic: str) -> None:
    """Otherwise a reader would go on somewhere it has never been."""
    written = cursors.write("topic", offsets)
    with pytest.raises(cursors.CursorError):
        cursors.read("topic", written[:-cut])
    if topic != "topic":
        with pytest.raises(cursors.CursorError):
            cursors.read(topic, written)


@given(text=st.text())
def test_any_text_is_a_cursor_or_is_refused(text: str) -> None:
    """Hostile input raises nothing else."""
    try:
        cursors.read("topic", text)
    except cursors.CursorError:
        return
    raise AssertionError(f"{text!r} passed for a cursor")


def test_a_version_from_the_future_is_refused() -> None:
    """It may hold something that this version would leave out."""
    body = bytes([cursors.VERSION + 1, 5])
    sealed = body + cursors._checksum("topic", body)
    with pytest.raises(cursors.CursorError, match="version 2"):
        cursors.read("topic", cursors.base64.urlsafe_b64encode(sealed).decode())
