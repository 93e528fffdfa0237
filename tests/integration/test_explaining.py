"""Verdicts explained for the console by a child process that is there only while somebody asks."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import ModelSettings, Settings
from opinion import explaining
from opinion.explaining import MOST_CHARS, WAITING, ChildExplainer
from storage.engine import connect
from tests.support.checkpoints import tiny_checkpoint
from tests.support.waiting import wait_for
from web.explaining import ExplainerBusyError, ExplanationTooLongError, NoCheckpointError, Why

TEXT = "很好 good coffee, bad bank"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose checkpoint is a tiny one."""
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint")
    return Settings(home=tmp_path, models=ModelSettings(checkpoint=str(checkpoint)))


@pytest.fixture
def explainer(settings: Settings) -> Iterator[ChildExplainer]:
    """One whose database does not answer: the configured checkpoint is all there is."""
    engine = connect("postgresql://nobody@127.0.0.1:1/none")
    explainer = ChildExplainer(settings, engine, idle_seconds=0.5)
    yield explainer
    explainer.close()
    engine.dispose()


@pytest.mark.timeout(180)
def test_a_child_explains_and_goes(explainer: ChildExplainer) -> None:
    """It starts with the first question, names words of the text, and gives its memory back when nobody asks."""
    assert explainer.child is None
    why = explainer("nobody-knows", TEXT, "sentiment")
    assert why.label in {"negative", "neutral", "positive"}
    assert [TEXT[word.start : word.end] for word in why.words][2:4] == ["good", "coffee"]
    assert why.fall is not None
    wait_for(lambda: explainer.child is None, 10, "the idle child to end")


def test_what_takes_too_long_is_given_up(settings: Settings) -> None:
    """A question that would keep others waiting is ended with its child; a very long text is not begun."""
    engine = connect("postgresql://nobody@127.0.0.1:1/none")
    hasty = ChildExplainer(settings, engine, answer_seconds=0.05)
    with pytest.raises(ExplanationTooLongError):
        hasty("m", TEXT, "topic")
    assert hasty.child is None
    with pytest.raises(ExplanationTooLongError):
        hasty("m", "x" * (MOST_CHARS + 1), "topic")
    hasty.close()
    engine.dispose()


def test_few_may_wait(explainer: ChildExplainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One question is answered, some wait, the next is told to come again; none is answered twice or lost."""
    taken, go, answered = threading.Event(), threading.Event(), []
    why = Why("topic", "x", 1.0, (), "gradient", "m", None)

    def answer(_: ChildExplainer, question: explaining.Question) -> Why:
        taken.set()
        go.wait(30)
        answered.append(question.text)
        return why

    monkeypatch.setattr(ChildExplainer, "_answer", answer)
    asking = [threading.Thread(target=explainer, args=("m", f"text {n}", "topic")) for n in range(WAITING + 1)]
    asking[0].start()
    assert taken.wait(10)
    for one in asking[1:]:
        one.start()
    wait_for(explainer._asked.full, 10, "the others to wait")
    with pytest.raises(ExplainerBusyError):
        explainer("m", "one too many", "topic")
    go.set()
    for one in asking:
        one.join(30)
    assert sorted(answered) == [f"text {n}" for n in range(WAITING + 1)]


def test_without_a_checkpoint_nothing_is_started(tmp_path: Path) -> None:
    """A console on a machine without models says so at once."""
    settings = Settings(home=tmp_path, models=ModelSettings(checkpoint=str(tmp_path / "away")))
    explainer = ChildExplainer(settings, connect("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(NoCheckpointError):
        explainer("m", TEXT, "topic")
    assert explainer.child is None
    explainer.close()
