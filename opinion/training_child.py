"""The training of a retrain run, in a process of its own: `python -m opinion.training_child FOLDER`.

It knows neither PostgreSQL nor Kafka: the job and its rows come as files in the folder, progress and outcome go
there too, so a kill leaves nothing behind but that folder. stdout and stderr are for the log.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from models.behaviour_gate import BehaviourChange, compare
from models.datasets import LabelledText
from models.gate import Comparison

if TYPE_CHECKING:  # torch is for the child only; the parent reads this module for the structs
    from core.records import Opinion
    from models.behaviour import Report
    from models.finetune import Trained
    from models.inference import Classifier
    from models.replay import Replay

RATES: Final = ((15_000_000, 5e-4), (60_000_000, 1e-4))
"""Learning rates below so many weights. The smaller a model, the more it needs: of one of 9 million, 1e-4 learned too
little of a thousand labels, and 1e-3 forgot more."""
BIG_MODEL_RATE: Final = 2e-5
NICENESS: Final = 10  # workers and the scheduler come first
JOB_FILE: Final = "job.json"
ROWS_FILE: Final = "rows.json"
PROGRESS_FILE: Final = "progress.json"
OUTCOME_FILE: Final = "outcome.json"
HELD_OUT: Final = "held-out labels"  # as the card calls them


class TrainingJob(msgspec.Struct, frozen=True):
    """What to train, and how.

    Attributes:
        champion: its checkpoint folder, or `starter`.
        home: gets the finished candidate, see `models.registry.ModelFolders`.
        epochs, learning_rate, device, batch_tokens, max_length, threads: as in `core.settings`.
    """

    champion: str
    champion_version: str
    home: str
    created_at: datetime
    epochs: float
    learning_rate: float
    device: Literal["auto", "cpu", "cuda"]
    batch_tokens: int
    max_length: int
    threads: int


class TrainingRows(msgspec.Struct, frozen=True):
    """What to learn from and to judge by; no text is in two of them.

    Attributes:
        pool: stored documents without answers, for replay.
    """

    train: list[LabelledText]
    dev: list[LabelledText]
    held_out: list[LabelledText]
    pool: list[LabelledText]


class Progress(msgspec.Struct, frozen=True):
    """Where the training stands; `steps` is 0 where they are not counted."""

    step: int
    steps: int
    stage: str
    dev: dict[str, float]


class TrainingOutcome(msgspec.Struct, frozen=True):
    """What came out.

    Attributes:
        version, path: of the candidate.
        replay, replay_origin: see `models.gate.judge` and `models.replay.Replay`.
        behaviour: both models on the behaviour cases.
        rows: how many rows were trained on, by kind.
        dev: macro-F1 on dev, which decided when to stop.
    """

    version: str
    path: str
    held_out: Comparison
    replay: Comparison
    replay_origin: str
    rows: dict[str, int]
    dev: dict[str, float]
    behaviour: list[BehaviourChange]


def train(folder: Path) -> TrainingOutcome:
    """Do the job that lies in `folder`. Blocks for minutes."""
    from models.blending import blend
    from models.checkpoints import resolve
    from models.class_balance import repeats
    from models.finetune import ONWARDS, finetune
    from models.replay import build

    job = msgspec.json.decode((folder / JOB_FILE).read_bytes(), type=TrainingJob)
    rows = msgspec.json.decode((folder / ROWS_FILE).read_bytes(), type=TrainingRows)

    def report(stage: str, step: int = 0, steps: int = 0, dev: dict[str, float] | None = None) -> None:
        _write(folder / PROGRESS_FILE, Progress(step, steps, stage, dev or {}))

    report("reading with the champion")
    parent = resolve(job.champion)
    champion = _load(parent, job)
    replay = build(parent, champion.classify, labels=[*rows.train, *rows.dev], held_out=rows.held_out, pool=rows.pool)
    seen = zip(replay.labels[: len(rows.train)], repeats(rows.train), strict=True)
    trained = finetune(
        parent,
        [row for row, count in seen for _ in range(count)],
        [*rows.dev, *replay.dev],
        folder / "candidate",
        replay_rows=replay.train,
        optimisation=ONWARDS.model_copy(update={"epochs": job.epochs, "learning_rate": _learning_rate(job, parent)}),
        on_progress=lambda at: report("training", at.step, at.steps, at.dev),
    )
    report("judging")
    blend(parent, trained.folder, rows.dev)
    return _judged(job, rows, replay, trained, champion)


def _learning_rate(job: TrainingJob, parent: Path) -> float:
    """The configured one, else what suits the model's size: a big encoder forgets all at a small one's rate."""
    from models.checkpoints import load_checkpoint

    if job.learning_rate:
        return job.learning_rate
    weights = load_checkpoint(parent)[0].num_parameters()
    return next((rate for most, rate in RATES if weights < most), BIG_MODEL_RATE)


def _judged(
    job: TrainingJob, rows: TrainingRows, replay: "Replay", trained: "Trained", champion: "Classifier"
) -> TrainingOutcome:
    """Both models on both unseen parts; the candidate joins the model folders, with its card."""
    from models.comparison import by_answers, by_belief
    from models.registry import ModelFolders
    from models.replay import REPLAY_FILE

    inherited = Path(job.champion) / REPLAY_FILE
    if inherited.is_file():
        shutil.copy2(inherited, trained.folder / REPLAY_FILE)
    folders = ModelFolders(Path(job.home))
    version = folders.add(trained.folder, parent=job.champion_version, created_at=job.created_at).version
    candidate = _load(folders.path(version), job)

    def both(texts: Sequence[LabelledText]) -> tuple[list["Opinion"], list["Opinion"]]:
        before, after = (model.classify([row.text for row in texts]) for model in (champion, candidate))
        return before, after

    before, after = both(rows.held_out)
    counts = {"labels": len(rows.train), "dev labels": len(rows.dev), f"replay ({replay.origin})": len(replay.train)}
    on_dev = candidate.classify([row.text for row in rows.dev])
    champion_behaves, candidate_behaves = _behaviour(champion, candidate)
    told = {"rows": counts, "dev": trained.dev}
    _write_card(folders.path(version), job, rows, told, (before, after, on_dev), candidate_behaves)
    return TrainingOutcome(
        version=version,
        path=str(folders.path(version)),
        held_out=by_answers(rows.held_out, before, after),
        replay=(by_belief if replay.origin == "self" else by_answers)(replay.held_out, *both(replay.held_out)),
        replay_origin=replay.origin,
        rows=counts,
        dev=trained.dev,
        behaviour=compare(champion_behaves, candidate_behaves),
    )


def _behaviour(champion: "Classifier", candidate: "Classifier") -> tuple["Report", "Report"]:
    from models.behaviour import examine
    from models.behaviour_suite import load_suite

    cases = load_suite()
    before, after = (examine(cases, model.classify, model.version) for model in (champion, candidate))
    return before, after


def _write_card(
    path: Path,
    job: TrainingJob,
    rows: TrainingRows,
    facts: dict[str, Any],
    opinions: tuple[list["Opinion"], list["Opinion"], list["Opinion"]],
    report: "Report",
) -> None:
    """The candidate's card.

    Args:
        facts: `rows` and `dev` of the card.
        opinions: the champion's and the candidate's on the held-out labels, and the candidate's on dev.
        report: the candidate's behaviour.
    """
    from models.behaviour import card_section
    from models.card_figures import JudgedFile
    from models.evaluation import evaluate
    from models.model_card import CardFacts
    from models.release import write_card

    before, after, on_dev = opinions
    champion = evaluate(rows.held_out, before)
    write_card(
        path,
        CardFacts(
            "fine-tuning on new labels",
            **facts,
            baselines={
                (HELD_OUT, head): (100 * figures["accuracy_present"], 100 * figures["macro_f1_present"])
                for head, figures in champion.items()
            },
            baseline=f"the champion {job.champion_version}",
            sections=[card_section(report)],
        ),
        tests=[JudgedFile(HELD_OUT, rows.held_out, after)],
        dev=[JudgedFile("dev labels", rows.dev, on_dev)],
    )


def _load(folder: Path, job: TrainingJob) -> "Classifier":
    from models.inference import Classifier

    return Classifier.load(
        folder,
        device=job.device,
        batch_tokens=job.batch_tokens,
        max_length=job.max_length,
        cache_entries=0,
        threads=job.threads,
    )


def _write(path: Path, value: msgspec.Struct) -> None:
    """In one piece: the parent reads the old value or the new one."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(msgspec.json.encode(value))
    unfinished.replace(path)


def main(folder: Path) -> None:
    """Train at low priority, and write the outcome."""
    os.nice(NICENESS)
    _write(folder / OUTCOME_FILE, train(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
