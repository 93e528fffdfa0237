"""What the gate compares and says, as values: no arithmetic and no libraries, so that every process can read them."""

from dataclasses import dataclass, field

from models.gate_checks import Check


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
    """What the gate decided, and why.

    Attributes:
        reasons: one sentence for each thing it looked at; what speaks against the candidate first.
        checks: the same, one by one.
    """

    is_accepted: bool
    reasons: list[str]
    checks: list[Check] = field(default_factory=list)


def _mean(figures: dict[str, float]) -> float:
    return sum(figures.values()) / len(figures) if figures else 0.0
