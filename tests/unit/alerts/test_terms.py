"""The words of a surge: what is new in it, not what everybody always says."""

import time

from alerts.reasons.terms import assign, rank, words_of

USUAL = [words_of(f"今天的排队时间很长，服务一般 {nth}") for nth in range(40)]
ANGRY = [words_of("刹车失灵，今天差点出事") for _ in range(12)] + [words_of("今天客服不接电话") for _ in range(4)]


def test_new_words_rank_and_usual_ones_do_not() -> None:
    """今天 is in every text of both stretches; 刹车 and 失灵 only in the new ones."""
    ranked = rank(ANGRY, USUAL)
    assert {"刹车", "失灵"} <= set(ranked)
    assert "今天" not in ranked


def test_each_text_goes_to_one_word() -> None:
    """Words of one story do not count it twice."""
    chosen = assign(rank(ANGRY, USUAL), ANGRY, USUAL)
    assert sum(count for _, count, _ in chosen) <= len(ANGRY)
    assert chosen[0][1] == 12
    assert len({word for word, _, _ in chosen} & {"刹车", "失灵", "差点", "出事"}) == 1


def test_with_no_past_nothing_is_new() -> None:
    """A handful of older texts says nothing of what is usual."""
    assert rank(ANGRY, USUAL[:5]) == {}


def test_neither_links_names_figures_nor_everyday_words() -> None:
    """What is left are words: no address, no account, no number, no “the”."""
    found = words_of("@somebody see https://example.org/x the Brakes failed 2026 我们 mail me@example.org")
    assert found == {"brakes", "failed", "mail"}


def test_long_texts_without_spaces_are_cut_in_time() -> None:
    """Hostile runs of characters take no more than their length."""
    started = time.perf_counter()
    for text in ("长" * 20_000, "a" * 20_000, "@" * 20_000, "a@" * 10_000):
        words_of(text)
    assert time.perf_counter() - started < 5
