"""What begins a retrain run."""

from datetime import UTC, datetime, timedelta

import pytest

from opinion.triggers import Standing, TriggerOptions, decide

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPTIONS = TriggerOptions(every=timedelta(hours=24), min_new_labels=200, min_scheduled_labels=20)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("standing", "kind"),
    [
        (Standing(200, NOW - timedelta(minutes=5)), "labels"),
        (Standing(199, NOW - timedelta(minutes=5)), None),
        (Standing(20, NOW - DAY), "schedule"),
        (Standing(20, NOW - DAY + timedelta(seconds=1)), None),
        (Standing(19, NOW - 30 * DAY), None),
        (Standing(20, None), "schedule"),
        (Standing(0, None), None),
        (Standing(500, None, failures=1, failed_at=NOW - timedelta(seconds=59)), None),
        (Standing(500, None, failures=1, failed_at=NOW - timedelta(minutes=1)), "labels"),
        (Standing(500, None, failures=5, failed_at=NOW - timedelta(minutes=15)), None),
        (Standing(500, None, failures=5, failed_at=NOW - timedelta(minutes=16)), "labels"),
        (Standing(500, None, failures=500, failed_at=NOW - DAY), "labels"),
    ],
)
def test_labels_and_time_begin_runs(standing: Standing, kind: str | None) -> None:
    """Enough labels at once, fewer when the time has come, none while the last runs failed lately."""
    found = decide(standing, OPTIONS, NOW)
    assert (found.kind if found else None) == kind


def test_the_reason_has_the_figures() -> None:
    """What is kept with the run says why, in words."""
    found = decide(Standing(31, NOW - DAY), OPTIONS, NOW)
    assert found is not None
    assert found.reason == "31 new labels since 2026-04-30 12:00 UTC"
