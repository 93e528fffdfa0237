"""When drift asks for labels, and when for a new model."""

from datetime import UTC, datetime, timedelta

from models.drift_trigger import Confirmed, PastCheck, TriggerOptions, confirmed, labels_reason, retrain_reason

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OPTIONS = TriggerOptions(min_labels=100, cool_down=3 * DAY)
DRIFT = Confirmed(("embedding", "text"), NOW - 8 * DAY)


def checks(*measures: str, every: timedelta = DAY) -> list[PastCheck]:
    """The newest first; each a list of measures, separated by spaces."""
    return [
        PastCheck(NOW - nth * every, NOW - nth * every - 7 * DAY, frozenset(one.split()))
        for nth, one in enumerate(measures)
    ]


def test_one_check_is_chance() -> None:
    """Two checks in a row have to agree on a measure."""
    assert confirmed(checks("text"), NOW) is None
    assert confirmed(checks("text", "length"), NOW) is None
    assert confirmed(checks("", "text", "text"), NOW) is None
    found = confirmed(checks("text length", "text", "embedding", "", "text"), NOW)
    assert found == Confirmed(("text",), NOW - 2 * DAY - 7 * DAY)


def test_checks_of_one_hour_see_the_same_documents() -> None:
    """Asking again at once confirms nothing."""
    assert confirmed(checks("text", "text", "text", every=timedelta(minutes=10)), NOW) is None
    assert confirmed(checks("text", "text", "text", every=timedelta(hours=4)), NOW) is not None


def test_an_old_check_says_nothing_of_now() -> None:
    """A scheduler that was away for a week does not train on what it knew then."""
    assert confirmed(checks("text", "text"), NOW + 7 * DAY) is None
    assert confirmed([], NOW) is None


def test_drift_without_labels_asks_for_labels() -> None:
    """There is nothing to learn from yet: people are asked, no run is started; then it is the other way round."""
    assert retrain_reason(DRIFT, 40, None, NOW, OPTIONS) is None
    assert labels_reason(DRIFT, 40, OPTIONS) == (
        "drift of how texts are written, what the encoder makes of texts: 60 more labels of new texts are needed"
    )
    assert retrain_reason(DRIFT, 100, None, NOW, OPTIONS) == (
        "drift of how texts are written, what the encoder makes of texts; 100 labels since"
    )
    assert labels_reason(DRIFT, 100, OPTIONS) is None


def test_the_loop_rests_after_a_run() -> None:
    """Whatever came of the last run, the next one waits."""
    assert retrain_reason(DRIFT, 500, NOW - 2 * DAY, NOW, OPTIONS) is None
    assert retrain_reason(DRIFT, 500, NOW - 3 * DAY, NOW, OPTIONS) is not None


def test_without_drift_nothing_is_asked() -> None:
    """Labels alone are another trigger's business."""
    assert retrain_reason(None, 10_000, None, NOW, OPTIONS) is None
    assert labels_reason(None, 0, OPTIONS) is None
