"""Whether a candidate may replace the champion: a decision over figures, with its reasons in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.behaviour_gate import BehaviourChange, judge_behaviour

REPLAY_TOLERANCE: Final = 0.02  # more than this is forgetting, less is noise between two trainings
FEW_TEXTS: Final = 50  # below this a verdict is announced as a weak one


@dataclass(frozen=True)
class Comparison:
    """Both models on the same texts.

    Attributes:
        measure: what the figures are.
        champion, candidate: figure of each head that the texts answer.
    """

    texts: int
    measure: str
    champion: dict[str, float]
    candidate: dict[str, float]

    @property
    def champion_mean(self) -> float:
        return _mean(self.champion)

    @property
    def candidate_mean(self) -> float:
        return _mean(self.candidate)

    @property
    def gain(self) -> float:
        """Of the candidate over the champion, in the mean of the heads."""
        return self.candidate_mean - self.champion_mean


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and why: one sentence for each thing it looked at."""

    is_promoted: bool
    reasons: list[str]


def judge(
    held_out: Comparison, replay: Comparison, *, tolerance: float, behaviour: Sequence[BehaviourChange] = ()
) -> Verdict:
    """Not worse than the champion on labels nobody trained on, nothing forgotten, and no capability lost.

    Args:
        replay: on texts of the champion's own knowledge.
        tolerance: what may be lost on the held-out labels.
        behaviour: on the behaviour cases; none are judged if absent.
    """
    checks = [_check("held-out labels", held_out, tolerance)]
    notes = []
    if replay.texts < FEW_TEXTS:
        notes.append(f"forgetting was not judged: {replay.texts} replay texts")
    else:
        checks.append(_check("replay texts", replay, REPLAY_TOLERANCE))
    if held_out.texts < FEW_TEXTS:
        notes.append(f"a weak verdict: only {held_out.texts} held-out texts")
    behaves, behaviour_reasons = judge_behaviour(behaviour)
    return Verdict(
        behaves and all(is_passed for is_passed, _ in checks),
        [*(reason for _, reason in checks), *notes, *behaviour_reasons],
    )


def _check(name: str, comparison: Comparison, tolerance: float) -> tuple[bool, str]:
    is_passed = comparison.gain >= -tolerance
    heads = ", ".join(
        f"{head} {comparison.candidate[head]:.4f} against {champion:.4f}"
        for head, champion in sorted(comparison.champion.items())
    )
    verdict = "passed" if is_passed else "refused"
    return is_passed, (
        f"{verdict}: {name} ({comparison.texts} texts): {comparison.measure} {comparison.candidate_mean:.4f}, "
        f"champion {comparison.champion_mean:.4f}, {comparison.gain:+.4f}, "
        f"may lose {tolerance:.4f} ({heads})"
    )


def _mean(figures: dict[str, float]) -> float:
    return sum(figures.values()) / len(figures) if figures else 0.0
