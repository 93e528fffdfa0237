"""The demo's story: deterministic, about 600 records, with the plot that the demo promises."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from alerts.detection.detectors import DetectorOptions, SpikeDetector
from core.records import Document
from core.windows import floor_to
from opinion.demo.scenario import SPAN, Record, documents, scandal_begins_at

END = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return documents(7, END)


def parsed(records: list[Record]) -> list[tuple[Document, Record]]:
    """Records that are documents, each id once."""
    return [(msgspec.json.decode(r.value, type=Document), r) for r in records if r.fate == "stored"]


def negatives(records: list[Record], begin: datetime, end: datetime) -> tuple[int, int]:
    """Negative and all documents published in [begin, end)."""
    moods = [r.mood for d, r in parsed(records) if d.published_at and begin <= d.published_at < end]
    return moods.count("negative"), len(moods)


def test_same_seed_same_bytes(records: list[Record]) -> None:
    """A seed and an end give the same records, byte for byte; another seed gives others."""
    assert documents(7, END) == records
    assert [r.value for r in documents(8, END)] != [r.value for r in records]


def test_every_fate_occurs(records: list[Record]) -> None:
    """About 600 records: nine repeats, one revision, five malformed ones, the rest new."""
    fates = Counter(r.fate for r in records)
    assert 560 < len(records) < 640
    assert (fates["repeat"], fates["revision"], fates["dead_lettered"]) == (9, 1, 5)


def test_ids_are_unique_and_repeats_come_later(records: list[Record]) -> None:
    """An id is new once; what repeats it has the same bytes and arrives afterwards."""
    first: dict[bytes | None, Record] = {}
    for record in records:
        if record.fate == "stored":
            assert record.key not in first
            first[record.key] = record
        elif record.fate == "repeat":
            assert first[record.key].value == record.value
        elif record.fate == "revision":
            assert first[record.key].value != record.value


def test_comments_answer_articles_that_are_out(records: list[Record]) -> None:
    """A comment's article exists, has the comment's language and source, and is older."""
    by_id = {d.id: d for d, _ in parsed(records)}
    comments = [d for d in by_id.values() if d.kind == "comment"]
    assert len(comments) > 200
    for comment in comments:
        article = by_id[comment.parent_id or ""]
        assert (article.lang, article.source) == (comment.lang, comment.source)
        assert article.published_at is not None
        assert comment.published_at is not None
        assert article.published_at < comment.published_at


def test_scandal_surges_in_count_and_share(records: list[Record]) -> None:
    """In the scandal's busiest hour negatives are many times the day's level, and most of what is said."""
    begin = scandal_begins_at(END)
    many, total = negatives(records, begin + timedelta(minutes=20), begin + timedelta(minutes=80))
    before, of = negatives(records, END - SPAN, begin)
    assert many > 60
    assert many / total > 0.7
    assert before / of < 0.2


def test_launch_is_loud_but_not_angry(records: list[Record]) -> None:
    """The presented phone brings a surge of comments with an ordinary share of negative ones."""
    begin = END - timedelta(hours=9, minutes=10)
    angry, total = negatives(records, begin, begin + timedelta(minutes=90))
    assert total > 70
    assert angry / total < 0.2


def test_detector_has_learned_before_anything_happens(records: list[Record]) -> None:
    """Before the launch there are more than twelve hours of event time and more than 50 documents."""
    times = sorted(d.published_at for d, _ in parsed(records) if d.published_at)
    quiet = [at for at in times if at < END - timedelta(hours=9, minutes=10)]
    assert quiet[-1] - quiet[0] > timedelta(hours=12)
    assert len(quiet) > 150


def test_times_end_at_the_given_end(records: list[Record]) -> None:
    """Event time covers the span and never passes the end, whatever zone the end is given in."""
    times = [d.published_at for d, _ in parsed(records) if d.published_at]
    assert min(times) >= END - SPAN
    assert END - timedelta(minutes=15) < max(times) <= END


def test_texts_are_varied(records: list[Record]) -> None:
    """Nearly all texts differ; the copies are the reposted article."""
    texts = Counter(d.text for d, _ in parsed(records))
    assert len(texts) > 0.93 * texts.total()
    assert texts.most_common(1)[0][1] == 5


@pytest.mark.parametrize("seed", range(1, 9))
def test_shipped_detector_finds_the_scandal_and_only_it(seed: int) -> None:
    """Judged by what readers would feel, the detector fires within 25 minutes of the scandal and at no other time."""
    bucket = timedelta(minutes=5)
    counts: dict[datetime, list[int]] = {}
    for document, record in parsed(documents(seed, END)):
        assert document.published_at is not None
        count = counts.setdefault(floor_to(document.published_at, bucket), [0, 0])
        count[0] += record.mood == "negative"
        count[1] += 1
    detector, at, fired = SpikeDetector(DetectorOptions()), min(counts), []
    while at <= max(counts):
        if detector.observe(at, *counts.get(at, (0, 0))).is_firing:
            fired.append(at + bucket)
        at += bucket
    begin = scandal_begins_at(END)
    assert fired[0] - begin < timedelta(minutes=25)
    assert fired[0] > begin
