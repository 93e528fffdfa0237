"""A judged candidate without a model or a training, as a retrain run leaves it."""

from dataclasses import replace
from datetime import UTC, datetime

from models.behaviour_gate import BehaviourChange
from models.datasets import LabelledText
from models.gate import GateFigures, judge
from models.gate_calibration import measure_calibration
from models.gate_gain import measure_gain
from models.gate_options import GateOptions
from models.gate_record import ChangedAnswer, GateRecord, changed_answers, confusions, curves
from models.gate_slices import compare_slices
from models.gate_speed import Speed
from models.gate_verdict import Comparison
from tests.support.contestants import answers, rights, texts

OPTIONS = GateOptions(resamples=300)
HOSTILE = "<script>alert(1)</script> \" onmouseover='x' {{ 7 * 7 }} &amp; \u202e\x07"
ROWS = [
    *texts(60, lang="zh", source="weibo"),
    *texts(60, lang="en", source=HOSTILE),
]
ROWS[60] = replace(ROWS[60], text=HOSTILE, watchlists=("银行 <b>",))


def judged_candidate(right: list[bool], rows: list[LabelledText] = ROWS) -> tuple[GateRecord, list[ChangedAnswer]]:
    """Record and examples of a candidate with these answers right, beside a champion with three quarters right."""
    before, after = answers(rows, rights(len(rows), 0.75, seed=1)), answers(rows, right)
    figures = GateFigures(
        measure_gain(rows, before, after, OPTIONS),
        Comparison(80, "expected accuracy", {"sentiment": 0.9}, {"sentiment": 0.89}),
        compare_slices("held-out labels", rows, before, after, OPTIONS),
        measure_calibration(rows, before, after, OPTIONS),
        Speed(64, 7, 200.0, 190.0, 1.05),
        [BehaviourChange("negation", "zh", 40, 38, 39, 0, 1, is_judged=True)],
    )
    record = GateRecord(
        candidate="20260501-0011aabb",
        champion="starter-2e29f5ef",
        judged_at=datetime(2026, 5, 1, 12, tzinfo=UTC),
        verdict=judge(figures, OPTIONS),
        figures=figures,
        options=OPTIONS,
        rows={"labels": 1200, "replay (self)": 4000},
        dev={"sentiment_macro_f1": 0.71},
        sources={"weibo": 60, HOSTILE: 60},
        confusion=confusions(rows, before, after),
        curves=curves(rows, before, after),
    )
    return record, changed_answers(rows, before, after)


DESTROYED = [True] * 60 + [False] * 60  # all of one language
