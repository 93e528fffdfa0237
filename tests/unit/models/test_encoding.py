import pytest
from transformers import PreTrainedTokenizerBase

from core.taxonomy import CLASSES
from models.checkpoints import load_checkpoint
from models.classifier import IGNORED_LABEL
from models.datasets import LabelledText
from models.encoding import EncodedRows, PadToLongest, repeated

HEADS = {head: list(classes) for head, classes in sorted(CLASSES.items())}


@pytest.fixture(scope="module")
def tokenizer(checkpoint: object) -> PreTrainedTokenizerBase:
    return load_checkpoint(checkpoint)[1]


def test_a_row_becomes_ids_labels_and_a_mask(tokenizer: PreTrainedTokenizerBase) -> None:
    """What the loss sees is what people answered, and which answers the source can give."""
    rows = EncodedRows([LabelledText("很好 coffee", sentiment="positive", absent=("neutral",))], tokenizer, HEADS, 16)
    assert rows[0]["labels"] == [2, IGNORED_LABEL]
    assert rows[0]["class_mask"] == [True, False, True] + [True] * 17
    assert rows[0]["input_ids"][0] == tokenizer.cls_token_id


def test_rows_are_repeated_within_an_epoch(tokenizer: PreTrainedTokenizerBase) -> None:
    """Small sources weigh more by being seen more often."""
    rows = [LabelledText("a", topic="sports"), LabelledText("b", topic="travel")]
    encoded = EncodedRows(rows, tokenizer, HEADS, 16, repeats=[2, 1])
    topics = [encoded[index]["labels"][1] for index in range(len(encoded))]
    assert [HEADS["topic"][topic] for topic in topics] == ["sports", "sports", "travel"]


def test_padding_reaches_to_the_longest_row_only() -> None:
    """Short batches stay short."""
    rows = [{"input_ids": [2, 5], "labels": [0, 0], "class_mask": [True]}, {"input_ids": [2], "labels": [1, 1],
            "class_mask": [False]}]  # fmt: skip
    padded = PadToLongest(pad_token_id=7)(rows)
    assert padded["input_ids"].tolist() == [[2, 5], [2, 7]]
    assert padded["attention_mask"].tolist() == [[1, 1], [1, 0]]


def test_repeats_have_the_mean_that_was_asked_for_and_are_stable() -> None:
    """A recipe gives the same training set every time."""
    counts = repeated(2000, 1.5, seed=3)
    assert counts == repeated(2000, 1.5, seed=3)
    assert set(counts) == {1, 2}
    assert sum(counts) / 2000 == pytest.approx(1.5, abs=0.05)
