"""Whether a candidate may replace the champion: a decision over figures, with its reasons in words."""

from dataclasses import dataclass, field
from typing import Final

from models.behaviour_gate import BehaviourChange, judge_behaviour
from models.gate_calibration import CalibrationChange, check_calibration
from models.gate_checks import Check
from models.gate_gain import Gain, check_gain
from models.gate_options import GateOptions
from models.gate_slices import SliceChange, check_slices
from models.gate_speed import Speed, check_speed
from models.gate_verdict import Comparison, Verdict

REPLAY_TOLERANCE: Final = 0.02  # more than this is forgetting, less is noise between two trainings
FEW_REPLAY_TEXTS: Final = 50  # fewer decide nothing


@dataclass(frozen=True)
class GateFigures:
    """All that a verdict rests on; see the modules of the types.

    Attributes:
        gain: on labels nobody trained on; None where there are none.
        replay: on texts of the champion's own knowledge.
        slices: of both.
        speed: None where it was not measured.
        behaviour: on the behaviour cases; none are judged if empty.
    """

    gain: Gain | None
    replay: Comparison
    slices: list[SliceChange] = field(default_factory=list)
    calibration: list[CalibrationChange] = field(default_factory=list)
    speed: Speed | None = None
    behaviour: list[BehaviourChange] = field(default_factory=list)


def judge(figures: GateFigures, options: GateOptions) -> Verdict:
    """Better than the champion, worse in no part, as believable, nothing forgotten, no capability lost, fast enough.

    The checks come in this order, and those that refuse before those that pass.
    """
    checks = [
        *check_gain(figures.gain, options),
        *check_slices(figures.slices, options),
        *check_calibration(figures.calibration, options),
        _check_replay(figures.replay),
        *map(_behaviour_check, judge_behaviour(figures.behaviour)[1]),
        *check_speed(figures.speed, options),
    ]
    ranked = sorted(checks, key=lambda check: (check.is_passed is not False, check.is_passed is None))
    return Verdict(all(check.is_passed is not False for check in checks), [check.reason for check in ranked], ranked)


def _check_replay(replay: Comparison) -> Check:
    if replay.texts < FEW_REPLAY_TEXTS:
        return Check("replay texts", None, f"forgetting was not judged: {replay.texts} replay texts")
    heads = ", ".join(
        f"{head} {replay.candidate[head]:.4f} against {champion:.4f}"
        for head, champion in sorted(replay.champion.items())
    )
    return Check(
        "replay texts",
        replay.gain >= -REPLAY_TOLERANCE,
        f"replay texts ({replay.texts} texts): {replay.measure} {replay.candidate_mean:.4f}, "
        f"champion {replay.champion_mean:.4f}, {replay.gain:+.4f}, may lose {REPLAY_TOLERANCE:.4f} ({heads})",
    )


def _behaviour_check(sentence: str) -> Check:
    """A reason of `judge_behaviour`, which has its outcome before it where it decides."""
    outcome, _, rest = sentence.partition(": ")
    if outcome in ("passed", "refused"):
        return Check("behaviour", outcome == "passed", rest)
    return Check("behaviour", None, sentence)
