from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.batching import (
    PADDING_SHARE,
    even_budget,
    padding_tokens,
    token_budget_batches,
    unread_tokens,
    windows,
)


@given(st.lists(st.integers(1, 300), max_size=200), st.integers(1, 1000))
def test_every_text_is_in_exactly_one_batch(lengths: list[int], budget: int) -> None:
    """No text is lost or computed twice."""
    batches = token_budget_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


@given(st.lists(st.integers(1, 300), max_size=200), st.integers(1, 1000))
def test_no_batch_is_over_budget_unless_it_is_one_text(lengths: list[int], budget: int) -> None:
    """Memory is bounded by the budget, padding included."""
    for batch in token_budget_batches(lengths, budget):
        assert len(batch) == 1 or max(lengths[index] for index in batch) * len(batch) <= budget


@given(st.lists(st.integers(1, 300), max_size=200), st.integers(1, 2000))
def test_little_of_any_batch_is_padding(lengths: list[int], budget: int) -> None:
    """The waste is bounded in each batch, whatever the lengths."""
    for batch in token_budget_batches(lengths, budget):
        computed = max(lengths[index] for index in batch) * len(batch)
        assert padding_tokens(lengths, [batch]) <= PADDING_SHARE * computed


@given(st.lists(st.integers(1, 300), max_size=200), st.integers(300, 2000))
def test_packed_batches_are_filled_whatever_the_lengths(lengths: list[int], budget: int) -> None:
    """Where nothing is padded, only the budget ends a batch."""
    batches = token_budget_batches(lengths, budget, is_packed=True)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in batch) <= budget for batch in batches)
    assert all(
        sum(lengths[index] for index in batch) + lengths[following[0]] > budget
        for batch, following in pairwise(batches)
    )


def test_texts_of_equal_length_share_a_batch() -> None:
    """Short texts do not ride with long ones."""
    assert token_budget_batches([5, 50, 5, 50], budget=100) == [[1, 3], [0, 2]]


def test_padding_is_what_the_longest_row_costs_the_others() -> None:
    """The figure behind `opinion_models_padding_tokens_total`."""
    assert padding_tokens([3, 5, 2], [[0, 1], [2]]) == 2


@given(st.integers(0, 2000), st.integers(2, 300), st.data())
def test_windows_cover_every_token_and_overlap_enough(tokens: int, size: int, data: st.DataObject) -> None:
    """A long text is never silently cut."""
    overlap = data.draw(st.integers(0, size - 1))
    found = windows(tokens, size, overlap, most=2001)
    assert {token for start, end in found for token in range(start, end)} == set(range(tokens))
    assert all(end - start <= size for start, end in found)
    assert all(before[1] - after[0] >= overlap for before, after in pairwise(found))
    assert unread_tokens(tokens, found) == 0


@given(st.integers(101, 5000), st.integers(2, 20))
def test_a_very_long_text_is_read_from_beginning_to_end_at_a_bounded_cost(tokens: int, most: int) -> None:
    """No more windows than allowed, the first and the last words among them, and what is left out is known."""
    found = windows(tokens, 100, 10, most)
    assert len(found) <= most
    assert (found[0][0], found[-1][1]) == (0, tokens)
    read = {token for start, end in found for token in range(start, end)}
    assert unread_tokens(tokens, found) == tokens - len(read)


def test_a_text_that_fits_is_one_window() -> None:
    """Short texts cost one window, also at the very edge and when empty."""
    assert windows(0, 10, 2, most=4) == [(0, 0)]
    assert windows(10, 10, 2, most=4) == [(0, 10)]
    assert windows(11, 10, 2, most=4) == [(0, 10), (1, 11)]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=600), st.integers(1, 8))
def test_lanes_get_equal_work(lengths: list[int], lanes: int) -> None:
    """No lane stands idle for more than a text or two while another computes, and no pass is over the limit."""
    budget = even_budget(sum(lengths), 1024, lanes)
    batches = token_budget_batches(lengths, budget, is_packed=True)
    assert budget <= 1024
    if lanes > 1 and sum(lengths) >= 256 * lanes:
        assert len(batches) % lanes in (0, lanes - 1)
