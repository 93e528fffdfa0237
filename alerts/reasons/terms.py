"""Which words a surge speaks in: those that its texts hold more often than the texts of before. Pure.

Words are ranked by the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn, "Fightin'
Words", Political Analysis 16(4), 2008, eq. 16-22) over the number of texts that hold them, with the words of both
stretches as the prior; so words that everybody always uses rank low by themselves. Chinese is cut by rjieba.

Then each text goes to one word, the one that explains most first: words of one story come together, and counted one
by one they would say the same several times.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import log, sqrt
from typing import Final

from core.folding import fold

MOST_TERMS: Final = 5
LEAST_Z: Final = 3.0
LEAST_TEXTS: Final = 3
PRIOR_WEIGHT: Final = 50.0  # texts that the prior is worth
MOST_CHARS: Final = 24
LEAST_BEFORE: Final = 20  # with fewer texts of before nothing can be said to be new
# Neither links nor people's names are words. What comes before an "@" is bounded: texts may be long without a space.
_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S+|[@＠]\S+|[!-?A-~]{1,64}@\S+")
_WORD: Final = re.compile(r"[^\W\d_][^\W_]*(?:['’-][^\W_]+)*")
_HAN: Final = re.compile("[\u3400-\u9fff]")
_EVERYDAY: Final = """
    the and for are but not you all any can had her was one our out has have him his how its may new now old see two
    way who did get let put say she too use this that with they from were been said each which their will would about
    there could other into more some such than then them these so only over also after just what when where your
    我们 你们 他们 她们 它们 自己 这个 那个 这样 那样 这些 那些 什么 怎么 为什么 没有 不是 就是 还是 可以 可能 已经
    因为 所以 但是 如果 虽然 而且 或者 以及 并且 这里 那里 现在 时候 一个 一些 一样 一直 一下 不会 不要 不能 真的 非常
    觉得 知道 出来 起来 进行 表示 对于 关于 通过
"""
STOP_WORDS: Final = frozenset(_EVERYDAY.split())


@lru_cache(maxsize=5000)  # one run gathers the evidence of a topic, its source and everything, of the same texts
def words_of(text: str) -> frozenset[str]:
    """The words of a text, folded, without stop words, figures, links and names of accounts."""
    from rjieba import cut  # 35 MB, and only evidence needs it

    folded = _ADDRESS.sub(" ", fold(text, simplify=False).text)
    found = {one for piece in cut(folded) for one in _WORD.findall(piece)}
    return frozenset(one for one in found if one not in STOP_WORDS and _least_chars(one) <= len(one) <= MOST_CHARS)


def _least_chars(word: str) -> int:
    return 2 if _HAN.search(word) else 3


def rank(window: Sequence[frozenset[str]], before: Sequence[frozenset[str]]) -> dict[str, float]:
    """The words that are held more often than before, with their z, highest first.

    Args:
        window, before: the words of each text.
    """
    if len(before) < LEAST_BEFORE:
        return {}
    now, past = (Counter(word for words in texts for word in words) for texts in (window, before))
    everything = len(window) + len(before)
    found = {}
    for word, count in now.items():
        if count < LEAST_TEXTS:
            continue
        prior = PRIOR_WEIGHT * (count + past[word]) / everything
        rest = PRIOR_WEIGHT - prior + 1e-9
        here = log((count + prior) / (len(window) - count + rest))
        there = log((past[word] + prior) / (len(before) - past[word] + rest))
        z = (here - there) / sqrt(1.0 / (count + prior) + 1.0 / (past[word] + prior))
        if z >= LEAST_Z:
            found[word] = z
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def assign(
    ranked: dict[str, float],
    window: Sequence[frozenset[str]],
    before: Sequence[frozenset[str]],
    *,
    most: int = MOST_TERMS,
) -> list[tuple[str, int, int]]:
    """Give each text to one word: (word, texts of the window, texts of before).

    The word that explains most comes first; of words that explain as much the longest, which says more.
    """
    scale = len(window) / max(len(before), 1)
    left_now, left_past = list(window), list(before)
    chosen: list[tuple[str, int, int]] = []
    while len(chosen) < most:
        now, past = (
            Counter(word for words in texts for word in words if word in ranked) for texts in (left_now, left_past)
        )
        best = max(
            (word for word in now if now[word] >= LEAST_TEXTS),
            key=lambda word: (now[word] - scale * past[word], len(word), ranked[word], word),
            default=None,
        )
        if best is None or now[best] - scale * past[best] < 1.0:
            break
        chosen.append((best, now[best], past[best]))
        left_now = [words for words in left_now if best not in words]
        left_past = [words for words in left_past if best not in words]
    return chosen
