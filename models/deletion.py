"""Do the words that an explanation names carry the verdict? Remove them, and as many random words, and compare."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

SHARES: Final = (0.05, 0.10, 0.20, 0.50)  # of the words removed: the bins of ERASER, see `Deletion`
DRAWS: Final = 10  # of random words; the mean of ten wavers by about a third of one draw

Span = tuple[int, int]
Score = Callable[[Sequence[str]], Sequence[float]]


class DeletionStep(msgspec.Struct, frozen=True):
    """The class score without `removed` words: the most telling ones, and the mean over draws of random ones."""

    removed: int
    without_top: float
    without_random: float


class Deletion(msgspec.Struct, frozen=True):
    """How far the class score falls, on average over the steps, without the top words and without random ones.

    AOPC, the area over the perturbation curve (Samek et al. 2017, https://arxiv.org/abs/1509.06321), with the steps
    of ERASER's comprehensiveness (DeYoung et al. 2020, section 4, https://aclanthology.org/2020.acl-main.408). An
    explanation is worth showing where `aopc` is well above `aopc_random`.
    """

    aopc: float
    aopc_random: float
    draws: int
    steps: list[DeletionStep]


def deletion_test(text: str, ranked: Sequence[Span], score: float, scores: Score) -> Deletion | None:
    """Test one ranking of a text's words; None for fewer than two words, where there is nothing to choose from.

    Args:
        ranked: character spans of the words, the most telling first.
        score: the class score of the whole text.
        scores: gives the class score of each of some texts; called once.
    """
    if len(ranked) < 2:
        return None
    chance = random.Random(text)  # noqa: S311  # the same draws for the same text
    counts = sorted({max(1, round(share * len(ranked))) for share in SHARES})
    tops = [without(text, ranked[:count]) for count in counts]
    draws = [without(text, chance.sample(ranked, count)) for count in counts for _ in range(DRAWS)]
    found = list(scores([*tops, *draws]))
    steps = [
        DeletionStep(count, found[nth], _mean(found[len(tops) + nth * DRAWS :][:DRAWS]))
        for nth, count in enumerate(counts)
    ]
    return Deletion(
        aopc=round(_mean(score - step.without_top for step in steps), 4),
        aopc_random=round(_mean(score - step.without_random for step in steps), 4),
        draws=DRAWS,
        steps=[msgspec.structs.replace(step, without_random=round(step.without_random, 4)) for step in steps],
    )


def without(text: str, spans: Iterable[Span]) -> str:
    """The text with these spans cut out."""
    kept, at = [], 0
    for start, end in sorted(spans):
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])


def _mean(figures: Iterable[float]) -> float:
    values = list(figures)
    return sum(values) / len(values)
