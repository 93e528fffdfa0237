"""The second half of a retrain run's child: champion and candidate side by side, until the gate has its verdict."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from core.records import Opinion
from models.behaviour import Report, card_section, examine
from models.behaviour_gate import compare
from models.behaviour_suite import load_suite
from models.card_figures import JudgedFile
from models.comparison import by_answers, by_belief
from models.datasets import LabelledText
from models.evaluation import evaluate
from models.gate import GateFigures, judge
from models.gate_calibration import measure_calibration
from models.gate_gain import measure_gain
from models.gate_options import GateOptions
from models.gate_record import (
    REPORT_FILE,
    GateRecord,
    changed_answers,
    confusions,
    curves,
    write_record,
)
from models.gate_report import render
from models.gate_slices import compare_slices, where_nobody_answered
from models.gate_speed import clock_of, measure_speed
from models.gate_verdict import Comparison, Verdict
from models.gold_ages import by_age
from models.model_card import CardFacts
from models.registry import ModelFolders
from models.release import write_card
from models.replay import REPLAY_FILE, Replay

if TYPE_CHECKING:  # the caller is a program, and would be loaded a second time under its name
    from models.finetune import Trained
    from models.inference import Classifier
    from opinion.training_child import TrainingJob, TrainingRows

HELD_OUT: Final = "held-out labels"  # as the card calls them


@dataclass(frozen=True)
class Judged:
    """What became of a candidate.

    Attributes:
        held_out: macro-F1 of both on the labels nobody trained on.
        rows: how many rows were trained on, by kind.
        stored: the figures of the gate that no other field has, as they are kept with the run.
        ages: `held_out` by how long its texts have been in the gold set.
    """

    version: str
    path: Path
    held_out: Comparison
    figures: GateFigures
    verdict: Verdict
    rows: dict[str, int]
    stored: dict[str, Any]
    ages: dict[str, Comparison]


def judge_candidate(
    job: "TrainingJob",
    rows: "TrainingRows",
    replay: Replay,
    trained: "Trained",
    champion: "Classifier",
    *,
    load: Callable[[Path], "Classifier"],
) -> Judged:
    """Put a trained folder among the models, judge it, leave card, record and report there. Blocks for minutes."""
    inherited = Path(job.champion) / REPLAY_FILE
    if inherited.is_file():
        shutil.copy2(inherited, trained.folder / REPLAY_FILE)
    folders = ModelFolders(Path(job.home))
    version = folders.add(trained.folder, parent=job.champion_version, created_at=job.created_at).version
    path = folders.path(version)
    candidate = load(path)

    before, after = _both(champion, candidate, rows.held_out)
    behaviour = _behaviour(champion, candidate)
    figures = measure(
        rows.held_out, (before, after), replay, champion, candidate, job.gate, texts=rows.pool, behaviour=behaviour
    )
    verdict = judge(figures, job.gate)
    counts = {"labels": len(rows.train), "dev labels": len(rows.dev), f"replay ({replay.origin})": len(replay.train)}
    record = GateRecord(
        candidate=version,
        champion=job.champion_version,
        judged_at=job.created_at,
        verdict=verdict,
        figures=figures,
        options=job.gate,
        rows=counts,
        dev=trained.dev,
        sources=_sources(rows.held_out),
        confusion=confusions(rows.held_out, before, after),
        curves=curves(rows.held_out, before, after),
    )
    examples = changed_answers(rows.held_out, before, after)
    write_record(path, record, examples)
    (path / REPORT_FILE).write_text(render(record, examples), encoding="utf-8")
    on_dev = candidate.classify([row.text for row in rows.dev])
    _write_card(path, job, rows, counts, trained.dev, (before, after, on_dev), behaviour[1])
    return Judged(
        version,
        path,
        by_answers(rows.held_out, before, after),
        figures,
        verdict,
        counts,
        _stored(figures, job.gate),
        by_age(rows.held_out, rows.held_out_since, before, after, now=job.created_at),
    )


def measure(
    held_out: Sequence[LabelledText],
    opinions: tuple[Sequence[Opinion], Sequence[Opinion]],
    replay: Replay,
    champion: "Classifier",
    candidate: "Classifier",
    options: GateOptions,
    *,
    texts: Sequence[LabelledText],
    behaviour: tuple[Report, Report] | None,
) -> GateFigures:
    """All figures of the gate.

    Args:
        opinions: the champion's and the candidate's on the held-out labels.
        texts: what production reads, for the clock; the held-out texts where there are none.
        behaviour: of both; None judges none.
    """
    before, after = opinions
    was, now = _both(champion, candidate, replay.held_out)
    is_belief = replay.origin == "self"
    answered = compare_slices("held-out labels", held_out, before, after, options)
    known = compare_slices("replay texts", replay.held_out, was, now, options, by_belief=is_belief)
    return GateFigures(
        gain=measure_gain(held_out, before, after, options),
        replay=(by_belief if is_belief else by_answers)(replay.held_out, was, now),
        slices=[*answered, *(where_nobody_answered(known, answered) if is_belief else known)],
        calibration=measure_calibration(held_out, before, after, options),
        speed=measure_speed(
            champion.classify,
            candidate.classify,
            [row.text for row in texts or held_out],
            options,
            clock=clock_of(champion.device),
        ),
        behaviour=compare(*behaviour) if behaviour else [],
    )


def _both(
    champion: "Classifier", candidate: "Classifier", rows: Sequence[LabelledText]
) -> tuple[list[Opinion], list[Opinion]]:
    before, after = (model.classify([row.text for row in rows]) for model in (champion, candidate))
    return before, after


def _behaviour(champion: "Classifier", candidate: "Classifier") -> tuple[Report, Report]:
    cases = load_suite()
    before, after = (examine(cases, model.classify, model.version) for model in (champion, candidate))
    return before, after


def _sources(rows: Sequence[LabelledText]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.source] = counts.get(row.source, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _stored(figures: GateFigures, options: GateOptions) -> dict[str, Any]:
    kept = asdict(figures)
    return {"options": asdict(options), **{name: kept[name] for name in ("gain", "slices", "calibration", "speed")}}


def _write_card(
    path: Path,
    job: "TrainingJob",
    rows: "TrainingRows",
    counts: dict[str, int],
    dev: dict[str, float],
    opinions: tuple[list[Opinion], list[Opinion], list[Opinion]],
    report: Report,
) -> None:
    """The candidate's card.

    Args:
        opinions: the champion's and the candidate's on the held-out labels, and the candidate's on dev.
        report: the candidate's behaviour.
    """
    before, after, on_dev = opinions
    champion = evaluate(rows.held_out, before)
    write_card(
        path,
        CardFacts(
            "fine-tuning on new labels",
            rows=counts,
            dev=dev,
            baselines={
                (HELD_OUT, head): (100 * figures["accuracy_present"], 100 * figures["macro_f1_present"])
                for head, figures in champion.items()
            },
            baseline=f"the champion {job.champion_version}",
            sections=[card_section(report)],
        ),
        tests=[JudgedFile(HELD_OUT, rows.held_out, after)] if rows.held_out else [],
        dev=[JudgedFile("dev labels", rows.dev, on_dev)],
    )
