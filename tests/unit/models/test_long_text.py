import torch

from models.long_text import Windows, cut, pooled

NEGATIVE = 0


def windows_of(owners: list[int], tokens: list[int]) -> Windows:
    ids = [[1] * count for count in tokens]
    return Windows(ids, torch.tensor(owners), torch.tensor(tokens, dtype=torch.float32))


def scores_of(sentiment: list[list[float]], topic: list[list[float]] | None = None) -> dict[str, torch.Tensor]:
    return {"sentiment": torch.tensor(sentiment), "topic": torch.tensor(topic or [[0.5, 0.5]] * len(sentiment))}


def test_windows_know_their_text() -> None:
    """Two short texts and a long one: the long one is read in full windows."""
    read = cut([[1, 2], [], list(range(20))], whole=8, size=8, most=10)
    assert read.owners.tolist() == [0, 1, 2, 2, 2]
    assert read.tokens.tolist() == [2, 1, 8, 8, 8]
    assert set().union(*read.ids[2:]) == set(range(20))


def test_a_text_that_can_be_read_at_once_is() -> None:
    """Windows are for texts that the encoder cannot read as a whole."""
    assert [len(ids) for ids in cut([[1] * 12], whole=12, size=4, most=10).ids] == [12]
    assert {len(ids) for ids in cut([[1] * 13], whole=12, size=4, most=10).ids} == {4}


def test_bad_news_at_the_end_of_a_calm_text_is_bad_news() -> None:
    """One surely negative window decides, however many calm ones come before it."""
    calm, bad = [0.1, 0.8, 0.1], [0.85, 0.1, 0.05]
    found = pooled(scores_of([calm] * 20 + [bad]), windows_of([0] * 21, [100] * 21), NEGATIVE, 0.8)
    assert found["sentiment"].argmax().item() == NEGATIVE
    assert torch.allclose(found["sentiment"], torch.tensor([bad]))


def test_doubtful_windows_do_not_add_up() -> None:
    """Windows that might be negative leave a calm text calm."""
    doubtful, calm = [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]
    found = pooled(scores_of([doubtful] + [calm] * 9), windows_of([0] * 10, [100] * 10), NEGATIVE, 0.8)
    assert torch.allclose(found["sentiment"], torch.tensor([[0.15, 0.75, 0.1]]))


def test_the_topic_is_that_of_most_tokens() -> None:
    """A decisive window changes the sentiment, not what the text is about."""
    found = pooled(
        scores_of([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]], [[0.0, 1.0], [1.0, 0.0]]),
        windows_of([0, 0], [10, 30]),
        NEGATIVE,
        0.8,
    )
    assert torch.allclose(found["topic"], torch.tensor([[0.75, 0.25]]))


def test_each_text_is_judged_by_its_own_windows() -> None:
    """Neighbours in a batch share nothing, and a short text keeps its scores."""
    calm, bad = [0.1, 0.8, 0.1], [0.9, 0.05, 0.05]
    found = pooled(scores_of([calm, bad, calm, bad]), windows_of([0, 1, 2, 2], [5, 5, 8, 8]), NEGATIVE, 0.8)
    assert found["sentiment"].argmax(dim=1).tolist() == [1, 0, 0]


def test_above_one_nothing_decides() -> None:
    """The rule can be turned off: a mean remains."""
    found = pooled(scores_of([[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0]]), windows_of([0] * 3, [9] * 3), NEGATIVE, 1.1)
    assert found["sentiment"].argmax().item() == 1
