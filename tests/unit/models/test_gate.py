"""The gate: who may become champion, and why not."""

from dataclasses import replace

from models.gate import GateFigures, judge
from models.gate_gain import Gain
from models.gate_options import GateOptions
from models.gate_speed import Speed
from models.gate_verdict import Comparison, Verdict
from models.paired import Difference
from tests.support.contestants import BETTER

NOTHING = Comparison(0, "macro-F1", {}, {})
KEPT = Comparison(200, "macro-F1", {"topic": 0.9}, {"topic": 0.9})
EQUAL = replace(BETTER, candidate={"topic": 0.5}, mean=Difference(0.0, -0.02, 0.02))


def judged(gain: Gain, replay: Comparison = KEPT, options: GateOptions | None = None) -> Verdict:
    return judge(GateFigures(gain, replay), options or GateOptions())


def test_better_is_accepted_with_figures() -> None:
    """The reason names the gain, its interval, both figures of each head, and on what."""
    verdict = judged(BETTER)
    assert verdict.is_accepted
    assert verdict.reasons[0] == (
        "passed: held-out labels (200 texts): +10.0 points of macro-F1, 90 % of resamples between +4.0 and "
        "+16.0; all of it must be above 0 to be better than the champion (topic 0.6000 against 0.5000, +4.0 to "
        "+16.0; 30 answers gained, 10 lost, exact McNemar p 0.002)"
    )


def test_the_policy_decides_on_equals() -> None:
    """`better` asks for a gain that is no chance, `not worse` for a loss that is within the margin."""
    assert not judged(EQUAL).is_accepted
    assert not judged(EQUAL, options=GateOptions(policy="not worse", margin=0.02)).is_accepted
    assert judged(EQUAL, options=GateOptions(policy="not worse", margin=0.03)).is_accepted
    touching = replace(BETTER, mean=Difference(0.0, 0.0, 0.0))
    assert not judged(touching).is_accepted
    assert judged(touching, options=GateOptions(policy="not worse", margin=0.01)).is_accepted


def test_what_forgets_is_refused() -> None:
    """Better on new labels does not pay for forgetting old knowledge, and what refuses is said first."""
    verdict = judged(BETTER, Comparison(200, "macro-F1", {"topic": 0.9}, {"topic": 0.87}))
    assert not verdict.is_accepted
    assert verdict.reasons[0].startswith("refused: replay texts (200 texts): macro-F1 0.8700")
    assert [check.name for check in verdict.checks if check.is_passed is False] == ["replay texts"]


def test_weak_evidence_is_said() -> None:
    """Few held-out texts are named as such; few replay texts decide nothing, nor does what was not measured."""
    verdict = judged(replace(BETTER, texts=10), Comparison(5, "macro-F1", {"topic": 0.9}, {"topic": 0.1}))
    assert verdict.is_accepted
    assert verdict.reasons[1:] == [
        "a weak verdict: only 10 held-out texts",
        "no slice was judged: none has 30 rows",
        "forgetting was not judged: 5 replay texts",
        "speed was not judged: no texts",
    ]


def test_one_check_that_refuses_is_enough() -> None:
    """A gain does not pay for being too slow."""
    slow = Speed(64, 21, 200.0, 90.0, 2.2)
    verdict = judge(GateFigures(BETTER, KEPT, speed=slow), GateOptions())
    assert not verdict.is_accepted
    assert verdict.reasons[0].startswith("refused: speed: 90 texts a second, champion 200; takes 2.2 times as long")
