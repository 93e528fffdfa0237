import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from prometheus_client import REGISTRY

from core.errors import CheckpointError
from core.settings import ModelSettings
from core.taxonomy import SENTIMENTS, TOPICS
from models.inference import Classifier, pick_device
from tests.support.waiting import wait_for

LONG = "coffee bank phone car nice " * 20
PATIENCE_SECONDS = 30


def counted(answered_by: str) -> float:
    return REGISTRY.get_sample_value("opinion_models_texts_total", {"answered_by": answered_by}) or 0.0


def total(metric: str) -> float:
    return REGISTRY.get_sample_value(metric) or 0.0


def hold(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None
) -> tuple[threading.Event, threading.Event]:
    """Forward passes wait from now on: the first event tells that one began, the second lets them go on."""
    entered, let_go = threading.Event(), threading.Event()
    forward = classifier._engine._forward

    def waits(inputs: Sequence[list[int]]) -> torch.Tensor:
        entered.set()
        assert let_go.wait(PATIENCE_SECONDS)
        if error is not None:
            raise error
        return forward(inputs)

    monkeypatch.setattr(classifier._engine, "_forward", waits)
    return entered, let_go


def test_opinions_come_in_the_order_of_the_texts(classifier: Classifier) -> None:
    """Batches are sorted by length inside; nobody outside can tell."""
    texts = ["很好", LONG, "bad tea", "", "价格 服务 质量", "x"]
    together = classifier.classify(texts)
    classifier._cache.clear()
    for opinion, text in zip(together, texts, strict=True):
        assert opinion.topic_scores == pytest.approx(classifier.classify([text])[0].topic_scores, abs=2e-4)


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
    """Equal windows give what one of them gives."""
    classifier = Classifier.load(checkpoint, device="cpu", precision="float32", max_length=11, cache_entries=0)
    short, long = classifier.classify(["tea " * 10, "tea " * 10 * 8])
    assert long.topic_scores == pytest.approx(short.topic_scores, abs=2e-4)


def test_a_very_long_text_costs_no_more_than_its_windows(checkpoint: Path) -> None:
    """`max_windows` bounds what one text can cost."""
    classifier = Classifier.load(checkpoint, device="cpu", precision="float32", max_length=11, max_windows=3)
    before = total("opinion_models_tokens_total")
    classifier.classify(["tea coffee " * 5000])
    assert total("opinion_models_tokens_total") - before == 3 * 11
    assert total("opinion_models_unread_tokens_total") > 0


def test_low_scores_are_marked_as_uncertain(checkpoint: Path) -> None:
    """The threshold is a setting, and each head is judged by itself."""
    strict = Classifier.load(checkpoint, device="cpu", precision="float32", uncertain_below=1.0)
    lax = Classifier.load(checkpoint, device="cpu", precision="float32", uncertain_below=0.0)
    assert [(one.topic_uncertain, one.sentiment_uncertain) for one in strict.classify(["tea"])] == [(True, True)]
    assert [(one.topic_uncertain, one.sentiment_uncertain) for one in lax.classify(["tea"])] == [(False, False)]


def test_settings_reach_the_classifier(checkpoint: Path) -> None:
    """Every option of inference is a setting of the same name."""
    settings = ModelSettings(checkpoint=str(checkpoint), device="cpu", precision="bfloat16", uncertain_below=1.0)
    classifier = Classifier.configured(settings)
    assert classifier.precision == "bfloat16"
    assert classifier.classify(["tea"])[0].topic_uncertain


def test_identical_texts_are_computed_once(classifier: Classifier) -> None:
    """Reposts are free: within a call, and across calls while the cache holds them."""
    model, cache = counted("model"), counted("cache")
    classifier.classify(["tea", "tea", "coffee"])
    classifier.classify(["coffee"])
    assert (counted("model") - model, counted("cache") - cache) == (2, 2)


def test_a_text_in_flight_is_not_computed_again(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second thread with the same text waits for the first one's answer."""
    entered, let_go = hold(classifier, monkeypatch)
    before = counted("in_flight")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(classifier.classify, ["tea bank"])
        assert entered.wait(PATIENCE_SECONDS)
        second = threads.submit(classifier.classify, ["tea bank"])
        wait_for(lambda: counted("in_flight") == before + 1, PATIENCE_SECONDS, "a shared text")
        let_go.set()
        assert first.result(PATIENCE_SECONDS) == second.result(PATIENCE_SECONDS)


def test_an_error_reaches_those_who_share_the_text(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for another thread's text hears of its failure, and the next call tries again."""
    entered, let_go = hold(classifier, monkeypatch, error=ValueError("broken"))
    before = counted("in_flight")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(classifier.classify, ["tea bank"])
        assert entered.wait(PATIENCE_SECONDS)
        second = threads.submit(classifier.classify, ["tea bank"])
        wait_for(lambda: counted("in_flight") == before + 1, PATIENCE_SECONDS, "a shared text")
        let_go.set()
        for call in (first, second):
            with pytest.raises(ValueError, match="broken"):
                call.result(PATIENCE_SECONDS)
    monkeypatch.undo()
    assert len(classifier.classify(["tea bank"])) == 1


def test_many_threads_get_the_answers_of_one(classifier: Classifier) -> None:
    """Answers do not depend on who else asks at the same time."""
    texts = [f"{word} number {number}" for number in range(40) for word in ("tea", "很好", LONG)]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(classifier.classify, [texts[start::6] for start in range(6)]))
    alone = classifier.classify(texts)
    for start, found in enumerate(answers):
        for one, expected in zip(found, alone[start::6], strict=True):
            assert one.topic_scores == pytest.approx(expected.topic_scores, abs=2e-4)


def test_the_cache_forgets_the_text_unused_for_longest(classifier: Classifier) -> None:
    """Memory is bounded by `cache_entries`."""
    classifier.classify([str(number) for number in range(8)])
    classifier.classify(["0"])
    classifier.classify(["new"])
    assert len(classifier._cache) == 8
    before = counted("model")
    classifier.classify(["0"])
    assert counted("model") == before
    classifier.classify(["1"])
    assert counted("model") == before + 1


def test_more_texts_than_the_cache_holds_still_get_answers(classifier: Classifier) -> None:
    """A call larger than the cache is answered in full."""
    texts = [f"tea {number}" for number in range(40)]
    assert len(classifier.classify(texts)) == 40


def test_a_large_call_is_read_in_parts(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next part is tokenised while one is computed, and every answer finds its text."""
    texts = [f"{'tea ' * (number % 9)}{number}" for number in range(50)]
    expected = classifier.classify(texts)
    classifier._cache.clear()
    monkeypatch.setattr("models.inference.TOKENISE_TEXTS", 7)
    for one, other in zip(classifier.classify(texts), expected, strict=True):
        assert one.topic_scores == pytest.approx(other.topic_scores, abs=2e-4)


def test_out_of_memory_splits_the_batch(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that does not fit is halved until it does, with the same opinions."""
    texts = [f"bank {number}" for number in range(7)]
    expected = classifier.classify(texts)
    classifier._cache.clear()
    forward, splits = classifier._engine._forward, total("opinion_models_memory_splits_total")

    def small_memory(inputs: Sequence[list[int]]) -> torch.Tensor:
        if len(inputs) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(inputs)

    monkeypatch.setattr(classifier._engine, "_forward", small_memory)
    for one, other in zip(classifier.classify(texts), expected, strict=True):
        assert one.topic_scores == pytest.approx(other.topic_scores, abs=2e-4)
    assert total("opinion_models_memory_splits_total") > splits


def test_one_window_that_does_not_fit_fails(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing left to split, so the caller hears of it."""

    def no_memory(inputs: Sequence[list[int]]) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(classifier._engine, "_forward", no_memory)
    with pytest.raises(RuntimeError, match="allocate memory"):
        classifier.classify(["one", "two", "three"])


def test_tokens_are_counted(classifier: Classifier) -> None:
    """Throughput and padding waste can be watched; this encoder is packed, so nothing is padded."""
    tokens, padding = total("opinion_models_tokens_total"), total("opinion_models_padding_tokens_total")
    classifier.classify(["tea coffee bank", "tea"])
    assert total("opinion_models_tokens_total") > tokens
    assert total("opinion_models_padding_tokens_total") == padding


def test_nothing_asked_nothing_answered(classifier: Classifier) -> None:
    """An empty batch is no error."""
    assert classifier.classify([]) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_by_name_needs_one() -> None:
    """`cuda` never falls back silently; `auto` does."""
    assert pick_device("auto").type == "cpu"
    with pytest.raises(CheckpointError, match="no CUDA device"):
        pick_device("cuda")
