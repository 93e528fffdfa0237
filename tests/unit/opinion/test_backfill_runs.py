"""Backfills from the console: one after the other, with how each ended, and none outlives the console."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

from opinion.backfill_runs import BackfillRuns
from tests.support.waiting import wait_for

PROGRAM = """
import pathlib, sys, time
name = sys.argv[-1]
pathlib.Path(sys.argv[1], name).write_text(str(__import__("os").getpid()))
print("looked at it", sys.argv[2:-2])
time.sleep(60 if name == "slow" else 0)
sys.exit(name == "bad")
"""


def test_they_run_in_turn_and_close_with_the_console(tmp_path: Path) -> None:
    """One that fails is told from one that works; a second start of one that waits is none; closing ends a child."""
    runs = BackfillRuns((sys.executable, "-c", PROGRAM, str(tmp_path)))
    runs.start("good", datetime(2026, 5, 1, tzinfo=UTC))
    runs.start("bad", None)
    runs.start("slow", None)
    runs.start("slow", datetime(2026, 5, 2, tzinfo=UTC))
    wait_for(lambda: (tmp_path / "slow").exists() and (tmp_path / "slow").read_text(), 30, "the third to run")
    found = [runs.of(name) for name in ("good", "bad", "slow", "none")]
    assert [one.state if one else None for one in found] == ["done", "failed", "runs", None]
    assert found[0] is not None
    assert found[0].said == "looked at it ['--since', '2026-05-01T00:00:00+00:00']"
    assert found[2] is not None
    assert found[2].since is None
    runs.close()
    assert not psutil.pid_exists(int((tmp_path / "slow").read_text()))
