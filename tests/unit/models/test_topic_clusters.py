"""New topics among doubtful documents."""

import random

import numpy as np

from models.topic_clusters import propose

CHATTER = [f"word{nth}" for nth in range(120)]
EVENT = ["姜萍", "数学", "竞赛", "天才", "决赛", "阿里"]


def rank(inside: list[frozenset[str]], outside: list[frozenset[str]]) -> dict[str, float]:
    """Words by how much more often they are held inside."""
    words = {word for one in inside for word in one}
    shares = {
        word: sum(word in one for one in inside) / len(inside) - sum(word in one for one in outside) / len(outside)
        for word in words
    }
    return dict(sorted(((word, share) for word, share in shares.items() if share > 0.3), key=lambda one: -one[1]))


def chatter(count: int, seed: int) -> list[frozenset[str]]:
    chosen = random.Random(seed)
    return [frozenset(chosen.sample(CHATTER, 5)) for _ in range(count)]


def event(count: int, seed: int) -> list[frozenset[str]]:
    chosen = random.Random(seed)
    return [frozenset([*chosen.sample(EVENT, 4), *chosen.sample(CHATTER, 1)]) for _ in range(count)]


def test_an_event_is_found_named_and_told_to_grow() -> None:
    """Forty documents on one matter among three hundred on anything come first, by their own words."""
    words = [*chatter(150, 1), *event(40, 2), *chatter(150, 3), *event(4, 4)]
    is_new = np.arange(len(words)) < 190
    first = propose(words, is_new, rank)[0]
    assert set(first.terms) <= set(EVENT)
    assert (first.now, first.before) == (40, 4)
    assert len(first.examples) == 3
    assert all(150 <= place < 190 for place in first.examples)


def test_the_encoder_is_heard_beside_the_words() -> None:
    """Documents that share few words but lie together for the encoder are one cluster."""
    words = chatter(200, 1)
    for place in range(30):
        words[place] = frozenset([*sorted(words[place])[:4], "common" if place % 2 else "shared"])
    vectors = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    vectors[:30] += 6.0
    found = propose(words, np.ones(200, dtype=bool), rank, vectors)
    assert any(len(set(one.places) & set(range(30))) > 20 for one in found)


def test_little_is_no_topic() -> None:
    """Few documents, documents without words, and words that nobody shares give no proposals and no error."""
    nothing = np.zeros(0, dtype=bool)
    assert propose([], nothing, rank) == []
    assert propose(chatter(5, 1), np.ones(5, dtype=bool), rank) == []
    assert propose([frozenset()] * 50, np.ones(50, dtype=bool), rank) == []
    assert propose([frozenset([f"only{nth}"]) for nth in range(50)], np.ones(50, dtype=bool), rank) == []


def test_proposals_are_the_same_each_time() -> None:
    """Nothing in it is left to chance."""
    words = [*chatter(100, 1), *event(30, 2)]
    is_new = np.arange(130) % 2 == 0
    assert propose(words, is_new, rank) == propose(words, is_new, rank)
