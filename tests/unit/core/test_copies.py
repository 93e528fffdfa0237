"""Whose copy a text is: folded, edited, cut, framed, templated, short, hostile; the same in every process."""

import os
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.copies import FILE_BANDS, LEAST_CHARS, STREAM_BANDS, Signature, are_copies, compared, sign, similarity
from core.copy_clusters import components
from tests.support.copies import LETTERS, OTHER, STORY, WIRE, edited, mixed_texts

REPORT = "{}网贷平台{}数据报告:成交额为{}万元,相比上一个工作日增长{}%,平均期限{}个月,综合利率{}%,当日满标{}个。"


def signed(text: str) -> Signature:
    [found] = sign([text])
    assert found is not None
    return found


def copied(one: str, other: str, band_count: int = FILE_BANDS) -> bool:
    return are_copies(signed(one), [signed(other)], band_count)[0]


@pytest.mark.parametrize(
    "other",
    [
        STORY.replace(",", "，").replace("。", "!!"),
        f"  {STORY[:20]}\n{STORY[20:]}",
        f"{STORY} https://t.cn/A6xYz12?from=feed",
        STORY.replace(STORY[30], STORY[30] + "\u200b"),
    ],
)
def test_what_no_reader_sees_makes_no_difference(other: str) -> None:
    """Punctuation, width, white space, invisible characters and addresses are not part of a text's fingerprint."""
    assert signed(other).fingerprint == signed(STORY).fingerprint


def test_a_story_with_another_head_and_foot_is_a_copy() -> None:
    """Lines put before and after a story leave it the same story."""
    for body in (STORY, WIRE):
        assert copied(body, f"【财经快讯】{body}(责任编辑:王小明)")


def test_half_of_a_long_story_is_a_copy() -> None:
    """A copy that was cut off stands almost whole in the other."""
    story = STORY + OTHER + edited(STORY[::-1], 0, random.Random(1))
    assert copied(story, story[: len(story) // 2])


@pytest.mark.parametrize(("share", "least"), [(0.03, 40), (0.1, 38)])
def test_edited_copies_are_found(share: float, least: int) -> None:
    """Of forty copies with three or ten characters in a hundred changed, hardly one is missed."""
    found = sum(copied(STORY, edited(STORY, share, random.Random(seed))) for seed in range(40))
    assert found >= least


def test_strangers_and_reports_of_other_figures_are_no_copies() -> None:
    """Two days' reports of two markets by one template share their words and none of their numbers."""
    one = REPORT.format("有融网", "05月31日", "563.21", "12.30", "11.93", "8.71", "120")
    other = REPORT.format("浙金网", "06月12日", "905.53", "10.41", "12.91", "9.42", "131")
    assert similarity(signed(one), signed(other)) > signed(one).threshold
    assert not copied(one, other)
    assert not copied(STORY, OTHER)


@pytest.mark.parametrize(
    "text", ["", "转发微博", "支持", "哈" * 500, "!" * 50, "\x00\ud800", "https://example.org/" + "a" * 99]
)
def test_texts_that_say_too_little_are_never_copies(text: str) -> None:
    """Too short, too uniform or nothing but an address: nobody's copy, however often it is said."""
    assert sign([text]) == [None]


def test_every_process_gives_the_same_signature() -> None:
    """Neither the process nor its hash seed has a part in a signature."""
    code = f"from core.copies import sign; print(sign([{STORY!r}, {WIRE!r}]))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1


def test_signatures_stay_what_they_are() -> None:
    """What is stored was signed by an earlier version: another way to sign needs a migration."""
    assert signed(STORY).sketch[:8].hex() == "ea053f9fd0af5fca"
    assert signed(STORY).fingerprint == 1304922612151348310


@given(st.text(max_size=200))
def test_any_text_can_be_signed(text: str) -> None:
    """Whatever a crawler brings has a signature, or none if little of it is left when folded."""
    [found] = sign([text])
    assert found is None or len(compared(text)) >= LEAST_CHARS


@given(st.text(alphabet=LETTERS[:12] + "ab 1", min_size=20), st.text(alphabet=LETTERS[:12] + "ab 1", min_size=20))
def test_the_relation_is_mutual(one: str, other: str) -> None:
    """If one text is a copy of another, that one is a copy of it."""
    a, b = sign([one, other])
    if a is not None and b is not None:
        assert are_copies(a, [b], STREAM_BANDS) == are_copies(b, [a], STREAM_BANDS)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_clusters(seed: int, order: random.Random) -> None:
    """Shuffled texts fall into the same clusters, with a window and without."""
    rng = random.Random(seed)
    texts = mixed_texts(rng, 40)
    days = [rng.randrange(20) for _ in texts]
    places = list(range(len(texts)))
    order.shuffle(places)
    signatures = sign(texts)
    for given_days in (None, days):
        expected = _named(components(signatures, STREAM_BANDS, given_days, 7), list(range(len(texts))))
        shuffled = components(
            [signatures[n] for n in places], STREAM_BANDS, given_days and [given_days[n] for n in places], 7
        )
        assert _named(shuffled, places) == expected


def _named(parts: list[list[int]], names: list[int]) -> set[frozenset[int]]:
    return {frozenset(names[n] for n in part) for part in parts}
