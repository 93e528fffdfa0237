"""A kept bucket can be judged again, as it was and without some of its documents."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from alerts.detection.detectors import DetectorOptions, Verdict
from alerts.detection.judgement import Judgement, judgement_of
from alerts.detection.timeline import SeriesTimeline

START = datetime(2026, 3, 10, tzinfo=UTC)
BUCKET = timedelta(minutes=5)


@pytest.fixture
def surged() -> tuple[Verdict, Judgement]:
    """Two days of one negative in ten, then twelve more in each bucket until it fires; its verdict and judgement."""
    timeline, at = SeriesTimeline(DetectorOptions()), START
    for nth in range(2 * 288):
        timeline.advance(at, int(nth % 3 == 0), 10)
        at += BUCKET
    while not timeline.judgements:
        verdict = timeline.advance(at, 13, 22)
        at += BUCKET
    [judgement] = timeline.judgements.values()
    return verdict, judgement


def test_it_is_judged_as_it_was(surged: tuple[Verdict, Judgement]) -> None:
    """The same scores and figures, also after a way through JSON."""
    verdict, judgement = surged
    kept = judgement_of(msgspec.json.decode(msgspec.json.encode(judgement)))
    assert kept is not None
    again = kept.verdict()
    assert again == judgement.verdict()
    assert (again.score, again.observed, again.expected, again.is_firing) == (
        verdict.score,
        verdict.observed,
        verdict.expected,
        True,
    )


def test_without_what_was_too_much_it_would_not_have_fired(surged: tuple[Verdict, Judgement]) -> None:
    """Twelve negatives fewer in its newest buckets leave a usual hour; one fewer leaves a surge."""
    _, judgement = surged
    newest = [at for at in judgement.bucket_starts if at >= START + timedelta(days=2)]
    assert newest
    assert not judgement.without(dict.fromkeys(newest, (12, 12))).verdict().is_firing
    assert judgement.without({newest[-1]: (1, 1)}).verdict().is_firing


def test_more_cannot_be_taken_than_there_is(surged: tuple[Verdict, Judgement]) -> None:
    """Counts that have grown since do not make others negative."""
    _, judgement = surged
    emptied = judgement.without(dict.fromkeys(judgement.bucket_starts, (1000, 1000)))
    assert {tuple(one) for one in emptied.state["recent"]} == {(0, 0)}
    assert not emptied.verdict().is_firing


@pytest.mark.parametrize("kept", [None, {}, {"bucket_at": "2026-03-10T00:00:00Z", "options": {}, "state": {"a": 1}}])
def test_what_another_detector_kept_is_none(kept: object) -> None:
    """Evidence of another version is not misread."""
    assert judgement_of(kept) is None  # type: ignore[arg-type]
