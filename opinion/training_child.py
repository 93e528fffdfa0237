"""The training of a retrain run, in a process of its own: `python -m opinion.training_child FOLDER`.

It knows neither PostgreSQL nor Kafka: the job and its rows come as files in the folder, progress and outcome go
there too, so a kill leaves nothing behind but that folder. stdout and stderr are for the log.
"""

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import psutil

from core import children
from models.behaviour_gate import BehaviourChange
from models.datasets import LabelledText
from models.gate_options import GateOptions
from models.gate_verdict import Comparison, Verdict
from models.recipe import TrainingMethod

if TYPE_CHECKING:  # torch is for the child only; the parent reads this module for the structs
    from models.finetune import Trained
    from models.inference import Classifier
    from models.replay import Replay

RATES: Final = ((15_000_000, 5e-4), (60_000_000, 5e-5))
"""Learning rates below so many weights. The smaller a model, the more it needs: of one of 9 million, 1e-4 learned too
little of a thousand labels, and 1e-3 forgot more. One of 22 million learned no more of two hundred labels by 1e-4
than by 5e-5, and changed a third more of its answers to old texts; see docs/why/learning.md."""
BIG_MODEL_RATE: Final = 2e-5
FASTER: Final = {"full": 1, "lora": 5, "heads": 10}  # fewer weights have further to go
NICENESS: Final = 10  # workers and the scheduler come first
PAUSE_LOOK_SECONDS: Final = 1.0
JOB_FILE: Final = "job.json"
ROWS_FILE: Final = "rows.json"
REPLAY_ROWS_FILE: Final = "replay.json"  # what was chosen to be replayed: a kill does not have it chosen again
TRAINED_FILE: Final = "trained.json"  # there once the candidate lies beside it, whole
PAUSE_FILE: Final = "pause"  # while it is there, no step is made
PROGRESS_FILE: Final = "progress.json"
OUTCOME_FILE: Final = "outcome.json"
CANDIDATE_FOLDER: Final = "candidate"


class TrainingJob(msgspec.Struct, frozen=True):
    """What to train, and how.

    Attributes:
        champion: its checkpoint folder, or `starter`.
        home: gets the finished candidate, see `models.registry.ModelFolders`.
        epochs, learning_rate, device, batch_tokens, max_length, threads, method: as in `core.settings`.
        micro_tokens: see `models.recipe.Optimisation`.
        processes: that share the training; 0 takes one for each GPU, or one.
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
    method: TrainingMethod = "full"
    micro_tokens: int | None = None
    processes: int = 0
    gate: GateOptions = GateOptions()


class TrainingRows(msgspec.Struct, frozen=True):
    """What to learn from and to judge by; no text is in two of them.

    Attributes:
        held_out: the gold set.
        pool: stored documents without answers, for replay.
        held_out_since: when each text of `held_out` joined the gold set.
    """

    train: list[LabelledText]
    dev: list[LabelledText]
    held_out: list[LabelledText]
    pool: list[LabelledText]
    held_out_since: list[datetime] = []


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
        ages: `held_out` by how long its texts have been in the gold set.
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
    ages: dict[str, Comparison] = {}


class TrainedFacts(msgspec.Struct, frozen=True):
    """How the training of the candidate ended; see `models.finetune.Trained`."""

    dev: dict[str, float]
    epochs: float
    rows: dict[str, int]


def train(folder: Path) -> TrainingOutcome:
    """Do the job that lies in `folder`. Blocks for minutes. One that was killed goes on where it was."""
    from models.checkpoints import resolve
    from models.finetune import Trained
    from models.replay import Replay, build

    job, rows = read_job(folder)
    report = Reporter(folder)
    report("reading with the champion")
    parent = resolve(job.champion)
    champion = _load(parent, job)
    replay = children.read_state(folder / REPLAY_ROWS_FILE, Replay)
    if replay is None:
        replay = build(
            parent, champion.classify, labels=[*rows.train, *rows.dev], held_out=rows.held_out, pool=rows.pool
        )
        _write(folder / REPLAY_ROWS_FILE, replay)
    if not (folder / TRAINED_FILE).is_file():
        processes = job.processes or _gpus(job)
        if processes > 1:
            learn_together(folder, processes)
        else:
            learn(folder)
    facts = msgspec.json.decode((folder / TRAINED_FILE).read_bytes(), type=TrainedFacts)
    report("judging")
    trained = Trained(folder / CANDIDATE_FOLDER, facts.dev, facts.epochs, facts.rows)
    return _judged(job, rows, replay, trained, champion)


def learn(folder: Path) -> None:
    """Train the candidate; called in one process, or in each that `torchrun` has started.

    `TRAINED_FILE` appears when it is whole.
    """
    from models.blending import blend
    from models.checkpoints import resolve
    from models.class_balance import repeats
    from models.finetune import ONWARDS, finetune
    from models.machine import is_first_process
    from models.replay import Replay

    job, rows = read_job(folder)
    replay = msgspec.json.decode((folder / REPLAY_ROWS_FILE).read_bytes(), type=Replay)
    parent = resolve(job.champion)
    changes = {
        "epochs": job.epochs,
        "learning_rate": _learning_rate(job, parent),
        "method": job.method,
        "micro_tokens": job.micro_tokens,
    }
    report = Reporter(folder)
    seen = zip(replay.labels[: len(rows.train)], repeats(rows.train), strict=True)
    trained = finetune(
        parent,
        [row for row, count in seen for _ in range(count)],
        [*rows.dev, *replay.dev],
        folder / CANDIDATE_FOLDER,
        replay_rows=replay.train,
        optimisation=ONWARDS.model_copy(update=changes),
        resume=True,
        device=job.device,
        on_progress=lambda at: report("training", at.step, at.steps, at.dev),
    )
    if is_first_process():
        blend(parent, trained.folder, rows.dev)
        _write(folder / TRAINED_FILE, TrainedFacts(trained.dev, trained.epochs, trained.rows))


def learn_together(folder: Path, processes: int) -> None:
    """The same by several processes on this machine, one for each GPU; they end with this one.

    Raises:
        RuntimeError: one of them failed; the log says why.
    """
    launcher = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}")
    argv = [sys.executable, *launcher, "-m", "opinion.training_worker", str(folder)]
    code = children.spawn(argv, stdout=1).wait()  # into the log, like our own words
    if code:
        raise RuntimeError(f"the {processes} processes that train together ended with exit code {code}")


def read_job(folder: Path) -> tuple[TrainingJob, TrainingRows]:
    """What lies in `folder` to do."""
    job = msgspec.json.decode((folder / JOB_FILE).read_bytes(), type=TrainingJob)
    return job, msgspec.json.decode((folder / ROWS_FILE).read_bytes(), type=TrainingRows)


class Reporter:
    """Says where the training stands, and waits while the parent wants the machine for others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, stage: str, step: int = 0, steps: int = 0, dev: dict[str, float] | None = None) -> None:
        """Blocks as long as there is a `PAUSE_FILE`."""
        _write(self._folder / PROGRESS_FILE, Progress(step, steps, stage, dev or {}))
        while (self._folder / PAUSE_FILE).exists():
            time.sleep(PAUSE_LOOK_SECONDS)


def _gpus(job: TrainingJob) -> int:
    import torch

    return 1 if job.device == "cpu" else max(1, torch.cuda.device_count())


def _learning_rate(job: TrainingJob, parent: Path) -> float:
    """The configured one, else what suits the model's size: a big encoder forgets all at a small one's rate."""
    from models.checkpoints import load_checkpoint

    if job.learning_rate:
        return job.learning_rate
    weights = load_checkpoint(parent)[0].num_parameters()
    return FASTER[job.method] * next((rate for most, rate in RATES if weights < most), BIG_MODEL_RATE)


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
        ages=judged.ages,
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


def _write(path: Path, value: Any) -> None:
    """In one piece: the parent reads the old value or the new one."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(msgspec.json.encode(value))
    unfinished.replace(path)


def step_back() -> None:
    """Let the workers and the scheduler of this machine go first, for the processor and the disk."""
    os.nice(NICENESS)
    if sys.platform == "linux":
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def main(folder: Path) -> None:
    """Train at low priority, and write the outcome."""
    step_back()
    _write(folder / OUTCOME_FILE, train(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
