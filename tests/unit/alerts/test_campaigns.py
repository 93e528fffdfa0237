"""Copies of one text, and people with something to say."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from alerts.detection.campaigns import CampaignTimeline, Voices, severity
from alerts.detection.detectors import DetectorOptions
from alerts.detection.timeline import SeriesTimeline

START = datetime(2026, 3, 1, tzinfo=UTC)
BUCKET = timedelta(minutes=5)
OPTIONS = DetectorOptions()
DAYS = 8 * 288


class Stream:
    """A calm series of a week; then what a test adds to it."""

    def __init__(self, *, copies_before: bool = False) -> None:
        random = Random(3)
        self.voices, self.campaign, self.n = SeriesTimeline(OPTIONS), None, 0
        for _ in range(DAYS):
            total = random.randint(4, 12)
            negative = sum(random.random() < 0.2 for _ in range(total))
            copies = int(copies_before and random.random() < 0.05)
            self.add(negative, total, copies)

    campaign: CampaignTimeline | None

    def add(self, negative: int, total: int, copies: int = 0) -> None:
        """Independent negatives and documents, and copies beside them."""
        if copies and self.campaign is None:
            self.campaign = CampaignTimeline(OPTIONS, twin=self.voices.detector)
        at = START + self.n * BUCKET
        verdict = self.voices.advance(at, negative, total)
        if self.campaign:
            self.campaign.follow(at, copies, total + copies, verdict)
        self.n += 1

    def found(self) -> tuple[int, int]:
        """Surges of voices, and campaigns."""
        return len(self.voices.episodes), len(self.campaign.episodes) if self.campaign else 0


@pytest.mark.parametrize("copies_before", [False, True])
def test_copies_without_voices_are_a_campaign(copies_before: bool) -> None:
    """Sixty copies in half an hour, while people speak as always; also where there never was a copy before."""
    stream = Stream(copies_before=copies_before)
    for _ in range(6):
        stream.add(2, 8, copies=10)
    assert stream.found() == (0, 1)


def test_people_who_are_angry_by_themselves_are_a_surge() -> None:
    """The same copies in the midst of an uproar: one surge, no campaign beside it."""
    stream = Stream(copies_before=True)
    stream.add(9, 14)
    stream.add(12, 18, copies=3)
    for _ in range(6):
        stream.add(14, 20, copies=10)
    assert stream.found() == (1, 0)


def test_an_uproar_after_a_campaign_is_told_by_itself() -> None:
    """The campaign began alone and stays one; that people join in is news of its own."""
    stream = Stream()
    for _ in range(6):
        stream.add(2, 8, copies=10)
    for _ in range(6):
        stream.add(14, 20, copies=10)
    assert stream.found() == (1, 1)


def test_a_story_that_a_dozen_outlets_carry_is_no_campaign() -> None:
    """Few copies an hour never are, however unusual."""
    stream = Stream()
    for nth in range(12):
        stream.add(2, 8, copies=nth % 2)
    assert stream.found() == (0, 0)


def test_it_goes_on_from_its_state() -> None:
    """What is kept between runs is all there is."""
    stream = Stream(copies_before=True)
    assert stream.campaign is not None
    stream.campaign = CampaignTimeline(OPTIONS, stream.campaign.to_dict())
    for _ in range(6):
        stream.add(2, 8, copies=10)
    assert stream.found() == (0, 1)


@pytest.mark.parametrize(
    ("negative", "copies", "expected"),
    [
        (60, 59, "info"),
        (100, 70, "warning"),
        (40, 20, "info"),
        (700, 690, "warning"),
    ],
)
def test_carriers_and_independent_voices_make_it_severe(negative: int, copies: int, expected: str) -> None:
    """One text by many is information; with an echo, or by hundreds, it is a warning; it never wakes anyone."""
    assert severity(Voices(negative, copies)) == expected
