"""The training of a retrain run, in a process of its own: `python -m opinion.training_child FOLDER`.

It knows neither PostgreSQL nor Kafka: the job and its rows come as files in the folder, progress and outcome go
there too, so a kill leaves nothing behind but that folder. stdout and stderr are for the log.
"""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from models.behaviour_gate import BehaviourChange
from models.datasets import LabelledText
from models.gate import Comparison, Verdict
from models.gate_options import GateOptions

if TYPE_CHECKING:  # torch is for the child only; the parent reads this module for the structs
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


class TrainingJob(msgspec.Struct, frozen=True):
    """What to train, and how.

    Attributes:
        champion: its checkpoint folder, or `starter`.
        home: gets the finished candidate, see `models.registry.ModelFolders`.
        epochs, learning_rate, device, batch_tokens, max_length, threads: as in `core.settings`.
        gate: what the candidate is asked for.
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
    gate: GateOptions = GateOptions()


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
        verdict: of the gate.
        gate: the figures of the gate, as they are stored with the run.
    """

    version: str
    path: str
    held_out: Comparison
    replay: Comparison
    replay_origin: str
    rows: dict[str, int]
    dev: dict[str, float]
    behaviour: list[BehaviourChange]
    verdict: Verdict
    gate: dict[str, Any]


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
    """The candidate joins the model folders and is judged beside the champion."""
    from opinion.candidate_judging import judge_candidate

    judged = judge_candidate(job, rows, replay, trained, champion, load=lambda folder: _load(folder, job))
    return TrainingOutcome(
        version=judged.version,
        path=str(judged.path),
        held_out=judged.held_out,
        replay=judged.figures.replay,
        replay_origin=replay.origin,
        rows=judged.rows,
        dev=trained.dev,
        behaviour=judged.figures.behaviour,
        verdict=judged.verdict,
        gate=judged.stored,
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
