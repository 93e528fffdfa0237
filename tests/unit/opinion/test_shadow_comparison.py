"""Agreement, curves, telling documents and bounds, from scripted pairs of verdicts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from alerts.rulebook.contrasting import ChangedIncident
from core.settings import ShadowSettings
from opinion.shadow_bounds import judge
from opinion.shadow_chart import draw
from opinion.shadow_comparison import Comparison, Incidents, compare, comparison_of, figures_of
from opinion.shadow_scoring import slowness
from storage.shadow_disagreements import telling
from storage.shadow_runs import ShadowRun
from storage.shadow_verdicts import Pair
from tests.unit.alerts.test_contrasting import pair

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
SETTINGS = ShadowSettings()
RUN = ShadowRun(
    1,
    "new",
    "old",
    None,
    "scoring",
    AT,
    None,
    None,
    [],
    AT,
    AT + timedelta(hours=1),
    1.0,
    AT,
    "",
    0,
    0,
    0,
    0,
    None,
    {},
)


def pairs(*answers: tuple[str, str], every: timedelta = timedelta(minutes=1), **changes: Any) -> list[Pair]:
    """One document after the other, none a copy."""
    return [
        pair(old, new, published_at=AT + nth * every, document_id=f"weibo:{nth}", cluster=f"c{nth}", **changes)
        for nth, (old, new) in enumerate(answers)
    ]


def test_agreement_is_beyond_chance() -> None:
    """Kappa as worked out by hand: 8 of 10 agree, 0.62 by chance; and none where there is only one answer."""
    answers = [("negative", "negative")] * 2 + [("neutral", "neutral")] * 6
    answers += [("negative", "neutral"), ("neutral", "negative")]
    head = compare(RUN, pairs(*answers)).sentiment
    assert head.agreement == 0.8
    chance = 0.3 * 0.3 + 0.7 * 0.7
    assert head.kappa == pytest.approx((0.8 - chance) / (1 - chance), abs=1e-4)
    assert head.changes == [("negative", "neutral", 1), ("neutral", "negative", 1)]
    assert compare(RUN, pairs(("neutral", "neutral"))).sentiment.kappa is None
    assert compare(RUN, []).documents == 0


def test_curves_by_topic_source_and_watchlist() -> None:
    """Counts of both per step of time, and as many steps as a picture can show."""
    mentioned = {"华为": ["negative", "neutral"]}
    comparison = compare(RUN, pairs(*[("neutral", "negative")] * 120, mentions=mentioned))
    lines = {(line.label, line.value): line.points for line in comparison.lines}
    assert set(lines) == {("", ""), ("topic", "automobile"), ("source", "weibo"), ("watchlist", "华为")}
    assert comparison.step_seconds == 300
    assert lines["", ""][0] == (AT, 5, 0, 5)
    assert lines["watchlist", "华为"][0] == (AT, 5, 5, 0)
    assert comparison.live_documents == 60
    assert comparison_of(RUN._replace(figures=figures_of(comparison))) == comparison


def test_ten_copies_of_one_text_are_one_telling_document() -> None:
    """Named is where the two are furthest apart, with how many are like it."""
    copies = [one._replace(cluster="story") for one in pairs(*[("neutral", "negative")] * 10)]
    weak = pair("neutral", "negative", document_id="weak", cluster="weak", score_negative_new=0.6)
    strong = pair("neutral", "negative", document_id="strong", cluster="strong", score_negative_new=0.99)
    topic = pair("neutral", "neutral", document_id="topic", cluster="topic", topic_new="sports")
    found = telling([*copies, weak, strong, topic])
    assert [(one.kind, one.document_id, one.copies) for one in found] == [
        ("became negative", "strong", 1),
        ("became negative", "weak", 1),
        ("became negative", "weibo:0", 10),
        ("other topic", "topic", 1),
    ]
    comparison = compare(RUN, copies)
    assert (comparison.negative_new, comparison.became_negative) == (10, 1)


@pytest.mark.parametrize(
    ("became", "ceased", "usual", "is_kept"),
    [
        (0, 0, 100, True),
        (30, 0, 100, False),
        (0, 30, 100, False),
        (15, 0, 100, True),
        (60, 50, 30, True),
        (3, 0, 8, True),
        (8, 0, 0, False),
    ],
)
def test_negatives_may_change_by_so_much(became: int, ceased: int, usual: int, is_kept: bool) -> None:
    """A fifth more or fewer holds a candidate back, unless chance explains it."""
    answers = [("neutral", "negative")] * became + [("negative", "neutral")] * ceased
    answers += [("negative", "negative")] * (usual - ceased) + [("neutral", "neutral")] * 300
    bounded = judge(compare(RUN, pairs(*answers)), SETTINGS)
    assert bounded.is_kept is is_kept
    assert bounded.reasons[0].startswith("passed: " if is_kept else "held back: ")


def with_incidents(gained: int, lost: int) -> Comparison:
    changes = [ChangedIncident("by-topic", {"topic": "sports"}, "gained", None, None)] * gained
    changes += [ChangedIncident("overall", {}, "lost", None, None)] * lost
    incidents = Incidents(AT, AT + timedelta(hours=6), 1.0, 5, gained, lost, 0, 0, 0, changes)
    return replace(compare(RUN, pairs(*[("neutral", "neutral")] * 50)), incidents=incidents)


def test_incidents_failures_and_time_are_bounded() -> None:
    """Each bound by itself, and the reason names what broke it."""
    assert judge(with_incidents(2, 1), SETTINGS).is_kept
    gained = judge(with_incidents(3, 0), SETTINGS)
    assert gained.reasons[0] == (
        "held back: 3 incidents gained between 03-10 12:00 and 03-10 18:00 UTC, may be 2: by-topic (topic=sports), "
        "by-topic (topic=sports), by-topic (topic=sports)"
    )
    assert "2 incidents lost" in judge(with_incidents(0, 2), SETTINGS).reasons[0]
    fine = compare(RUN, pairs(("neutral", "neutral")))
    assert not judge(replace(fine, failures=1), SETTINGS).is_kept
    slow = judge(replace(fine, slower=2.5), SETTINGS)
    assert slow.reasons[0] == "held back: the candidate takes 2.50 times the champion's time, may take 2 times"


def test_speed_is_held_against_the_champions() -> None:
    """The fastest of three each counts: what else the machine does slows either down."""
    ticks = iter([0, 1, 1, 4, 4, 9, 9, 12, 12, 13, 13, 15])

    assert slowness(lambda _: [], lambda _: [], ["x"], lambda: float(next(ticks))) == 2.0


def test_the_curves_are_a_picture(tmp_path: Path) -> None:
    """SVG with a panel for each curve; hostile names are shown as they are."""
    comparison = compare(RUN, pairs(*[("neutral", "negative")] * 90, source="新浪$\\frac{1}{$<b>"))
    path = tmp_path / "curves.svg"
    draw(comparison, path, champion="old", candidate="new", zone=UTC)
    drawn = path.read_text(encoding="utf-8")
    assert drawn.startswith("<?xml")
    assert "topic automobile (90 documents)" in drawn
    assert "新浪" in drawn
    assert "<b>" not in drawn
