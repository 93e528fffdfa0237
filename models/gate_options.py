"""What the gate asks for; `core.settings.GateSettings` has the same names."""

from dataclasses import dataclass
from typing import Final, Literal

Policy = Literal["better", "not worse"]

ERROR_RATE: Final = (
    0.05  # how often a candidate that is as good may be refused, by all slices together, or by both ECEs
)


@dataclass(frozen=True)
class GateOptions:
    """See `docs/how-to/judge-a-candidate.md`.

    Attributes:
        policy: `better`: the interval of the gain in macro-F1 lies above 0; `not worse`: above `-margin`.
        margin: what `not worse` may lose.
        confidence: share of the resamples between the bounds of every interval.
        resamples: of the bootstrap.
        slice_rows: a slice with fewer answered rows is shown and not judged.
        slice_margin: share of its right answers that a slice may lose.
        calibration_margin: by how much the calibration error of a head may rise.
        most_slowdown: how many times as long the same texts may take.
    """

    policy: Policy = "better"
    margin: float = 0.01
    confidence: float = 0.9
    resamples: int = 2000
    slice_rows: int = 30
    slice_margin: float = 0.05
    calibration_margin: float = 0.03
    most_slowdown: float = 1.5
