"""What every check of the gate says: one sentence, and whether the candidate may pass."""

from dataclasses import dataclass
from typing import Literal

CheckName = Literal["held-out labels", "slices", "calibration", "replay texts", "behaviour", "speed"]
LONGEST_NAME = 60


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        is_passed: None where it decides nothing, and the sentence says why.
    """

    name: CheckName
    is_passed: bool | None
    sentence: str

    @property
    def reason(self) -> str:
        """The sentence with its outcome before it."""
        if self.is_passed is None:
            return self.sentence
        return f"{'passed' if self.is_passed else 'refused'}: {self.sentence}"


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign: `+0.8`."""
    return f"{100 * share:+.1f}"


def readable(name: str) -> str:
    """A name that came from outside, such as a source's, on one line and not endless."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"
