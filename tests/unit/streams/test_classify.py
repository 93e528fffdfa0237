from typing import Any

import pytest

from core.records import Document, Mention, Opinion
from core.watchlists import Watchlist, Watchlists
from streams.classify import MOST_TARGETS, opinions_on
from tests.support.records import WordClassifier

BRANDS = Watchlists([Watchlist("acme", ("Acme", "ACM")), Watchlist("bolt", ("Bolt",))])


def documents(*texts: str) -> list[Document]:
    return [Document(text=text) for text in texts]


def toward(opinion: Opinion) -> dict[str, Any]:
    """Watchlist → (how often, sentiment)."""
    return {mention.watchlist: (mention.mentions, mention.sentiment) for mention in opinion.mentions}


def test_each_watchlist_gets_its_own_verdict() -> None:
    """One text can be bad news for one and not for the other; the document's own verdict is a third."""
    [opinion] = opinions_on(WordClassifier(), BRANDS, documents("Acme sues bad Bolt, says ACM"))
    assert opinion.sentiment == "negative"
    assert toward(opinion) == {"acme": (2, "positive"), "bolt": (1, "negative")}


def test_documents_and_mentions_share_one_call() -> None:
    """The classifier sees everything at once, so that it can sort by length and one model version answers."""
    classifier = WordClassifier()
    opinions = opinions_on(classifier, BRANDS, documents("nothing", "Acme", "bad Bolt and Acme"))
    assert classifier.calls == [3 + 3 * 2]
    assert [toward(opinion) for opinion in opinions] == [
        {},
        {"acme": (1, "positive")},
        {"acme": (1, "positive"), "bolt": (1, "negative")},
    ]


def test_without_hits_nothing_more_is_computed() -> None:
    """Documents that mention nothing cost nothing."""
    classifier = WordClassifier()
    opinions_on(classifier, BRANDS, documents("x", "y"))
    assert classifier.calls == [2]


@pytest.mark.parametrize(("reads_targets", "sentiment"), [(True, "positive"), (False, "negative")])
def test_a_checkpoint_without_the_mark_reads_the_name(reads_targets: bool, sentiment: str) -> None:
    """It judges the sentences around the mention as they stand."""
    classifier = WordClassifier()
    classifier.reads_targets = reads_targets
    [opinion] = opinions_on(classifier, BRANDS, documents("Acme sues bad people"))
    assert toward(opinion) == {"acme": (1, sentiment)}


def test_a_list_of_names_is_not_asked_about_each() -> None:
    """A table of a hundred names costs one text; all mentions say what it says."""
    many = Watchlists(Watchlist(f"w{n}", (f"name{n}",)) for n in range(MOST_TARGETS + 1))
    classifier, text = WordClassifier(), "bad: " + " ".join(f"name{n}" for n in range(MOST_TARGETS + 1))
    [opinion] = opinions_on(classifier, many, documents(text))
    assert {mention.sentiment for mention in opinion.mentions} == {"negative"}
    assert len(opinion.mentions) == MOST_TARGETS + 1
    [opinion] = opinions_on(classifier, many, documents(text.removesuffix(f" name{MOST_TARGETS}")))
    assert {mention.sentiment for mention in opinion.mentions} == {"positive"}


def test_doubt_about_a_mention_is_its_own() -> None:
    """Scores are the mean of what was read about the mention, and doubt follows from them."""

    class Doubtful(WordClassifier):
        def classify(self, texts: Any) -> list[Opinion]:
            return [
                Opinion(
                    topic_label="x",
                    topic_scores={"x": 1.0},
                    sentiment="neutral",
                    sentiment_scores={"negative": 0.25, "neutral": 0.75, "positive": 0.0}
                    if n < 2
                    else {"negative": 0.45, "neutral": 0.15, "positive": 0.4},
                    model_version="m",
                )
                for n, _ in enumerate(texts)
            ]

    [opinion] = opinions_on(Doubtful(), BRANDS, documents("Acme"))
    assert not opinion.sentiment_uncertain
    assert opinion.mentions == (
        Mention(
            watchlist="acme",
            mentions=1,
            sentiment="neutral",
            sentiment_scores={"negative": 0.35, "neutral": 0.45, "positive": 0.2},
            sentiment_uncertain=True,
        ),
    )
