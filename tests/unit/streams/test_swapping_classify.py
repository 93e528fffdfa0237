"""What is in the classifier's slot while batches overlap: one model for each, and nothing left of the old one."""

import gc
import threading
import weakref
from collections.abc import Sequence

from core.records import Document, Opinion
from streams.classify import ClassifyStep
from tests.support.records import WordClassifier


class Named(WordClassifier):
    """The checkpoint of a folder is called as the folder is."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version


class Slow(Named):
    """Computes until it is let go."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def classify(self, texts: Sequence[str]) -> list[Opinion]:
        self.has_begun.set()
        assert self.may_end.wait(10)
        return super().classify(texts)


def versions(step: ClassifyStep, count: int = 2) -> list[str]:
    return [one.model_version for one in step.run([Document(text=f"x {n}") for n in range(count)])]


def test_batches_that_overlap_a_swap_are_not_mixed() -> None:
    """The one under way ends with the model it began with, though its watchlists are read in a second call; the one
    that begins beside it has the new one."""
    old = Slow("a")
    step = ClassifyStep(old, Named)
    first: list[str] = []
    batch = threading.Thread(target=lambda: first.extend(versions(step, 50)))
    batch.start()
    assert old.has_begun.wait(10)
    assert step.prepare("b", "b") is None
    assert versions(step) == ["b", "b"]
    old.may_end.set()
    batch.join()
    assert first == ["a"] * 50


def test_no_batch_waits_while_a_model_is_loaded() -> None:
    """Batches go on with the old one for as long as loading takes."""
    is_loading, may_end = threading.Event(), threading.Event()

    def load(path: str) -> Named:
        is_loading.set()
        assert may_end.wait(10)
        return Named(path)

    step = ClassifyStep(Named("a"), load)
    loading = threading.Thread(target=step.prepare, args=("b", "b"))
    loading.start()
    assert is_loading.wait(10)
    assert versions(step) == ["a", "a"]
    may_end.set()
    loading.join()
    assert versions(step) == ["b", "b"]


def test_a_promotion_taken_back_before_any_batch_leaves_the_model() -> None:
    """An idle worker that was told of b, and then of a again, goes on with a."""
    step = ClassifyStep(Named("a"), Named)
    assert step.prepare("b", "b") is None
    assert step.prepare("a", "a") is None
    assert versions(step) == ["a", "a"]


def test_the_old_model_is_freed_at_once() -> None:
    """Nothing holds it when the first batch with the new one is done, and no collection of cycles is needed."""
    step = ClassifyStep(Named("a"), Named)
    old = weakref.ref(step._classifier)
    step.prepare("b", "b")
    gc.disable()
    try:
        versions(step)
        assert old() is None
    finally:
        gc.enable()
