from pathlib import Path
from typing import Any

import pytest
import torch
from prometheus_client import REGISTRY

from core.errors import CheckpointError
from core.taxonomy import SENTIMENTS, TOPICS
from models.inference import Classifier, is_out_of_memory, pick_device

LONG = "coffee bank phone car nice " * 20


def counted(answered_by: str) -> float:
    return REGISTRY.get_sample_value("opinion_models_texts_total", {"answered_by": answered_by}) or 0.0


def test_opinions_come_in_the_order_of_the_texts(classifier: Classifier) -> None:
    """Batches are sorted by length inside; nobody outside can tell."""
    texts = ["很好", LONG, "bad tea", "", "价格 服务 质量", "x"]
    assert classifier.classify(texts) == [classifier.classify([text])[0] for text in texts]


def test_scores_cover_every_class_and_sum_to_one(classifier: Classifier) -> None:
    """Calibrated scores of a head are probabilities, and the verdict is the largest."""
    opinion = classifier.classify(["很好 coffee"])[0]
    assert set(opinion.topic_scores) == set(TOPICS)
    assert set(opinion.sentiment_scores) == set(SENTIMENTS)
    assert sum(opinion.topic_scores.values()) == pytest.approx(1, abs=0.002)
    assert opinion.sentiment == max(opinion.sentiment_scores, key=lambda name: opinion.sentiment_scores[name])
    assert opinion.model_version == classifier.version


def test_the_end_of_a_long_text_counts(classifier: Classifier) -> None:
    """Beyond the window nothing is silently cut."""
    before, after = classifier.classify([LONG, LONG + "很差 " * 30])
    assert before.topic_scores != after.topic_scores


def test_a_long_text_of_one_phrase_is_judged_like_its_windows(checkpoint: Path) -> None:
    """Pooling averages: equal windows give what one of them gives."""
    classifier = Classifier.load(checkpoint, device="cpu", max_length=11, cache_entries=0)
    short, long = classifier.classify(["tea " * 10, "tea " * 10 * 8])
    assert long.topic_scores == pytest.approx(short.topic_scores, abs=2e-4)


def test_identical_texts_are_computed_once(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reposts are free: within a call, and across calls while the cache holds them."""
    seen: list[str] = []
    compute = classifier._compute
    monkeypatch.setattr(classifier, "_compute", lambda texts: seen.extend(texts) or compute(texts))
    model, cache = counted("model"), counted("cache")
    classifier.classify(["tea", "tea", "coffee"])
    classifier.classify(["coffee"])
    assert seen == ["tea", "coffee"]
    assert (counted("model") - model, counted("cache") - cache) == (2, 2)


def test_the_cache_forgets_the_text_unused_for_longest(classifier: Classifier) -> None:
    """Memory is bounded by `cache_entries`."""
    classifier.classify([str(number) for number in range(8)])
    classifier.classify(["0"])
    classifier.classify(["new"])
    assert len(classifier._cache) == 8
    assert "0" in classifier._cache
    assert "1" not in classifier._cache


def test_more_texts_than_the_cache_holds_still_get_answers(classifier: Classifier) -> None:
    """A call larger than the cache is answered in full."""
    texts = [f"tea {number}" for number in range(40)]
    assert len(classifier.classify(texts)) == 40


def test_out_of_memory_splits_the_batch(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that does not fit is halved until it does, with the same opinions."""
    texts = [f"bank {number}" for number in range(7)]
    expected = classifier.classify(texts)
    classifier._cache.clear()
    forward = classifier._model.forward

    def small_memory(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(input_ids=input_ids, attention_mask=attention_mask)

    monkeypatch.setattr(classifier._model, "forward", small_memory)
    assert classifier.classify(texts) == expected


def test_one_window_that_does_not_fit_fails(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing left to split, so the caller hears of it."""

    def no_memory(**_: torch.Tensor) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(classifier._model, "forward", no_memory)
    with pytest.raises(RuntimeError, match="allocate memory"):
        classifier.classify(["one", "two", "three"])


def test_other_errors_of_the_model_are_not_mistaken_for_memory() -> None:
    """A bug is not answered with smaller batches."""
    assert not is_out_of_memory(RuntimeError("size mismatch"))


def test_tokens_and_padding_are_counted(classifier: Classifier) -> None:
    """Padding waste can be watched."""
    before = REGISTRY.get_sample_value("opinion_models_tokens_total") or 0.0
    classifier.classify(["tea coffee bank"])
    after = REGISTRY.get_sample_value("opinion_models_tokens_total") or 0.0
    assert after > before


def test_nothing_asked_nothing_answered(classifier: Classifier) -> None:
    """An empty batch is no error."""
    assert classifier.classify([]) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_by_name_needs_one() -> None:
    """`cuda` never falls back silently; `auto` does."""
    assert pick_device("auto").type == "cpu"
    with pytest.raises(CheckpointError, match="no CUDA device"):
        pick_device("cuda")
