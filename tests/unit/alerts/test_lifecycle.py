"""Timelines of one series' episodes, and what becomes of the incidents."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace as change

from alerts.detection.detectors import Verdict
from alerts.detection.lifecycle import Episode, KnownIncident, fold, reconcile
from alerts.detection.severity import severity

START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
BUCKET = timedelta(minutes=5)
SLACK = timedelta(hours=1)

CALM = 0.0
STIRRED = 3.0


def verdict(nth: int, score: float) -> Verdict:
    """Scores from 5 on fire."""
    return Verdict(
        bucket_at=START + nth * BUCKET,
        score_count=score / 2,
        score_share=score / 2,
        observed=10 * score,
        expected=2.0,
        documents=100,
        expected_share=0.2,
        window=timedelta(minutes=15),
        recent_score=score,
        threshold=4.5,
        is_firing=score >= 5,
        is_learning=False,
    )


def after(*scores: float) -> list[Episode]:
    """The episodes of a timeline of buckets."""
    episodes: list[Episode] = []
    for nth, score in enumerate(scores):
        current = episodes[-1] if episodes else None
        result = fold(current, verdict(nth, score), BUCKET)
        if result is None:
            continue
        if current is not None and result.detected_at == current.detected_at:
            episodes[-1] = result
        else:
            episodes.append(result)
    return episodes


def known(episode: Episode, **changes: object) -> KnownIncident:
    """The incident that was written for an episode."""
    incident = KnownIncident(
        7,
        episode.starts_at,
        episode.detected_at,
        episode.last_fired_at,
        episode.ends_at,
        episode.status,
        episode.score,
        episode.score,
    )
    return replace(incident, **changes)


def decide(episodes: list[Episode], incidents: list[KnownIncident]) -> list[str]:
    decisions = reconcile(episodes, incidents, judged_to=START + timedelta(hours=6), slack=SLACK)
    return [decision.transition for decision in decisions]


def test_a_surge_begins_where_its_evidence_begins() -> None:
    """`starts_at` reaches back over the window that convinced, `detected_at` is the end of the bucket."""
    [episode] = after(CALM, 6)
    assert episode.detected_at == START + 2 * BUCKET
    assert episode.starts_at == episode.detected_at - timedelta(minutes=15)
    assert episode.status == "firing"


def test_an_hour_of_calm_ends_it_at_the_last_stir() -> None:
    """Twelve calm buckets resolve; the end is where calm began."""
    [going_on] = after(6, STIRRED, *[CALM] * 11)
    assert going_on.status == "firing"
    [over] = after(6, STIRRED, *[CALM] * 12)
    assert over.ends_at == START + 2 * BUCKET


def test_stirring_between_does_not_let_it_end() -> None:
    """A bucket that is not calm starts the hour anew."""
    [episode] = after(6, *[CALM] * 11, STIRRED, *[CALM] * 11)
    assert episode.status == "firing"


def test_flapping_within_a_day_is_one_episode() -> None:
    """Firing again after it ended, but within a day of its beginning, is the same surge."""
    episodes = after(6, *[CALM] * 20, 6, *[CALM] * 20)
    assert len(episodes) == 1


def test_firing_a_day_later_is_another_episode() -> None:
    """A surge of the next day has its own beginning."""
    episodes = after(6, *[CALM] * 300, 6)
    assert [episode.status for episode in episodes] == ["resolved", "firing"]


def test_what_only_the_longest_window_still_sees_is_calm() -> None:
    """Hours after the surge the four-hour sum still fires; the surge is over all the same."""
    episodes = [fold(None, verdict(0, 9), BUCKET)]
    for nth in range(1, 13):
        episodes.append(fold(episodes[-1], replace(verdict(nth, 8), recent_score=0.5), BUCKET))
    assert episodes[-1] is not None
    assert episodes[-1].ends_at == START + BUCKET


def test_figures_are_those_of_the_highest_score() -> None:
    """Later, weaker buckets do not blur what was found."""
    [episode] = after(6, 9, 6)
    assert (episode.score, episode.observed, episode.window_ends_at) == (9, 90, START + 2 * BUCKET)


def test_a_new_episode_opens_an_incident() -> None:
    """And one that is over when it is found opens and resolves at once, so that both are told."""
    assert decide(after(6), []) == ["opened"]
    assert decide(after(6, *[CALM] * 12), []) == ["opened", "resolved"]


def test_nothing_new_changes_nothing() -> None:
    """Judging the same buckets again leaves the incident alone."""
    episodes = after(6, 6)
    assert decide(episodes, [known(episodes[0])]) == []


def test_only_ten_times_rarer_escalates() -> None:
    """A score one above what was told is worth another message; less only updates the figures."""
    [episode] = after(6, 7.5)
    assert decide([episode], [known(episode, score=6.0, notified_score=6.0)]) == ["escalated"]
    assert decide([episode], [known(episode, score=7.0, notified_score=7.0)]) == ["updated"]


def test_the_end_resolves_and_a_flare_up_reopens() -> None:
    """The incident follows its episode."""
    [over] = after(6, *[CALM] * 12)
    assert decide([over], [known(over, status="firing")]) == ["resolved"]
    [again] = after(6, *[CALM] * 12, 6)
    incident = known(again, status="resolved", last_fired_at=again.detected_at)
    assert decide([again], [incident]) == ["reopened", "updated"]


def test_a_flare_up_between_two_runs_reopens_and_resolves() -> None:
    """A backlog is judged in few runs; a flare-up that began and ended since the last one is told all the same."""
    calm = [CALM] * 12
    [before] = after(6, *calm)
    [episode] = after(6, *calm, 6, *calm)
    decisions = reconcile([episode], [known(before)], judged_to=START + timedelta(hours=3), slack=SLACK)
    assert [decision.transition for decision in decisions] == ["reopened", "updated", "resolved"]


def test_late_data_may_move_the_end() -> None:
    """An incident that is over follows its episode's end, without a word to anybody."""
    [episode] = after(6, STIRRED, *[CALM] * 12)
    incident = replace(known(episode), ends_at=episode.last_fired_at)
    [decision] = reconcile([episode], [incident], judged_to=START + timedelta(hours=3), slack=SLACK)
    assert decision.transition == "updated"


def test_late_data_may_move_a_detection_without_a_second_incident() -> None:
    """A detection that moves by a few buckets is still the same incident, with the times that the counts give now."""
    [episode] = after(CALM, CALM, CALM, 6)
    moved = change(episode, detected_at=episode.detected_at - 2 * BUCKET)
    assert decide([moved], [known(episode)]) == ["updated"]
    assert decide([moved], [known(moved)]) == []


def test_an_incident_without_support_ends_but_is_not_taken_back() -> None:
    """When late data take the surge away, the incident resolves an hour after it last fired."""
    [episode] = after(6)
    [decision] = reconcile([], [known(episode)], judged_to=START + timedelta(hours=3), slack=SLACK)
    assert (decision.transition, decision.episode, decision.incident_id) == ("resolved", None, 7)
    assert reconcile([], [known(episode)], judged_to=START + timedelta(minutes=30), slack=SLACK) == []


def test_severity_needs_excess_and_ratio() -> None:
    """Many more in number and in proportion is critical; a few more are information."""
    assert severity(60, 5) == "critical"
    assert severity(400, 300) == "info"
    assert severity(25, 5) == "warning"
    assert severity(6, 0.1) == "info"


def few(nth: int, score: float) -> Verdict:
    """The same verdict on few documents: five negatives more than expected."""
    return replace(verdict(nth, score), observed=7.0, expected=2.0)


def after_few(*scores: float) -> Episode:
    episode: Episode | None = None
    for nth, score in enumerate(scores):
        episode = fold(episode, few(nth, score), BUCKET)
    assert episode is not None
    return episode


def test_a_few_negatives_have_to_fire_again_within_an_hour() -> None:
    """Until then it is pending; it holds from the second firing bucket on, and its beginning stays."""
    assert after_few(6).is_pending
    assert after_few(6, STIRRED, STIRRED).is_pending
    held = after_few(6, STIRRED, 6)
    assert (held.is_pending, held.detected_at, held.held_at) == (False, START + BUCKET, START + 3 * BUCKET)
    assert after_few(6, *[STIRRED] * 12, 6).is_pending
    assert not after_few(6, *[STIRRED] * 12, 6, 6).is_pending


def test_many_negatives_hold_at_once() -> None:
    """Also when they come after a few."""
    [episode] = after(6)
    assert (episode.is_pending, episode.held_at) == (False, START + BUCKET)
    grown = fold(after_few(6), verdict(20, 6), BUCKET)
    assert grown is not None
    assert not grown.is_pending


def test_pending_is_written_and_lapses() -> None:
    """Found while it lasts or when it is over, it ends as one that never held."""
    assert decide([after_few(6)], []) == ["pending"]
    over = after_few(6, *[CALM] * 12)
    assert decide([over], []) == ["pending", "lapsed"]
    assert decide([over], [known(after_few(6), is_pending=True)]) == ["updated", "lapsed"]
    assert decide([over], [known(over, is_pending=True)]) == []


def test_pending_opens_when_it_holds() -> None:
    """With its end, if that is known by then; one that had lapsed and flares up may still hold."""
    pending = known(after_few(6), is_pending=True)
    assert decide([after_few(6, 6)], [pending]) == ["opened"]
    assert decide([after_few(6, 6, *[CALM] * 12)], [pending]) == ["opened", "resolved"]
    lapsed = known(after_few(6, *[CALM] * 12), is_pending=True)
    assert decide([after_few(6, *[CALM] * 12, 6)], [lapsed]) == ["pending"]
    assert decide([after_few(6, *[CALM] * 12, 6, 6)], [lapsed]) == ["opened"]


def test_what_was_told_does_not_become_pending_again() -> None:
    """Late data that take away why it held leave it as it is."""
    assert decide([after_few(6)], [known(after_few(6))]) == []
