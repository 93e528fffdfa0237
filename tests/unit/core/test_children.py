"""Waiting for a slow child, and the small files that tell of it."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import msgspec
import pytest

from core import children, disk


class Note(msgspec.Struct):
    text: str


def waited(progress: Iterator[object], *, ready_at: float, seconds: float, at_most: float = 1e9) -> bool:
    """`wait_while_moving` on a clock that moves only while it sleeps."""
    now = 0.0

    def sleep(duration: float) -> None:
        nonlocal now
        now += duration

    return children.wait_while_moving(
        lambda: now >= ready_at,
        lambda: next(progress),
        seconds=seconds,
        at_most=at_most,
        every=1.0,
        monotonic=lambda: now,
        sleep=sleep,
    )


def test_a_child_that_makes_progress_is_waited_for() -> None:
    """A recovery that takes longer than the patience is not cut off, or it would begin anew for ever."""
    assert waited(iter(range(10_000)), ready_at=1000, seconds=60)


def test_a_child_without_progress_is_given_up() -> None:
    """The patience counts from the last sign of progress."""
    stalled = chain(range(100), repeat(100))
    assert not waited(stalled, ready_at=1000, seconds=60)
    assert waited(chain(range(100), repeat(100)), ready_at=150, seconds=60)


def test_progress_alone_is_not_enough() -> None:
    """A child that logs the same failure again and again is given up, too."""
    assert not waited(iter(range(10_000)), ready_at=1000, seconds=60, at_most=900)


def test_a_state_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the new state, not the old; nothing half remains, and the error names the file."""
    path = tmp_path / "state.json"
    children.write_state(path, Note("old"))

    def is_full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", is_full)
    with pytest.raises(OSError, match="No space left") as full:
        children.write_state(path, Note("new"))
    assert [child.name for child in tmp_path.iterdir()] == ["state.json"]
    assert children.read_state(path, Note) == Note("old")
    told = disk.unusable("the server", tmp_path, full.value)
    assert str(path) in told.message
    assert "full" in told.message


def test_a_truncated_state_file_reads_as_none(tmp_path: Path) -> None:
    """Half a file is no state."""
    path = tmp_path / "state.json"
    children.write_state(path, Note("whole"))
    path.write_bytes(path.read_bytes()[:-3])
    assert children.read_state(path, Note) is None


def test_a_piece_of_work_is_waited_for_and_can_be_stopped() -> None:
    """The exit code of a child that ends; None, and no child left, where somebody wants it to stop."""
    said = [sys.executable, "-c", "raise SystemExit(3)"]
    assert children.work_off(subprocess.Popen(said), lambda: False, look_seconds=0.01) == 3
    sleeper = subprocess.Popen(["sleep", "60"])
    assert children.work_off(sleeper, lambda: True, look_seconds=0.01) is None
    assert sleeper.poll() is not None


@pytest.mark.parametrize(("code", "words"), [(-9, "was killed by SIGKILL"), (1, "ended with exit code 1")])
def test_how_a_child_ended_is_told(code: int, words: str) -> None:
    """A negative code is a signal."""
    assert children.ending(code) == words
