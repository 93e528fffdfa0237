"""The computing of a check for drift, in a process of its own: `python -m opinion.drift_child FOLDER`.

It reads thousands of texts with the champion, at low priority, so that workers and scheduler keep their cores and
their memory. It knows no server: what to read comes as a file in the folder, and what was found goes there.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from core.taxonomy import HEADS, Head
from models.datasets import LabelledText
from models.drift_figures import Figure, Proposal
from storage.drift_samples import SampledDocument

if TYPE_CHECKING:  # torch and scikit-learn are for the child only; the parent reads this module for the structs
    from models.drift import Labelled
    from models.drift_samples import Sample
    from models.inference import Classifier

NICENESS: Final = 15  # behind a training, too: nobody waits for this
JOB_FILE: Final = "job.json"
OUTCOME_FILE: Final = "outcome.json"


class DriftJob(msgspec.Struct, frozen=True):
    """What to read.

    Attributes:
        champion: its checkpoint folder, or `starter`.
        labelled: answered texts that it was not trained on.
        newer, older: documents whose topic it doubted, of two spans of equal length.
        device, batch_tokens, max_length, threads: as in `core.settings`.
    """

    champion: str
    reference: list[SampledDocument]
    current: list[SampledDocument]
    labelled: list[LabelledText]
    newer: list[SampledDocument]
    older: list[SampledDocument]
    device: Literal["auto", "cpu", "cuda"]
    batch_tokens: int
    max_length: int
    threads: int


class DriftOutcome(msgspec.Struct, frozen=True):
    """What was found; places in proposals count through `newer`, then `older`."""

    figures: list[Figure]
    proposals: list[Proposal]


def compute(job: DriftJob) -> DriftOutcome:
    """Blocks for a minute or two."""
    from models.checkpoints import resolve
    from models.drift import check
    from models.inference import Classifier

    folder = resolve(job.champion)
    champion = Classifier.load(
        folder,
        device=job.device,
        batch_tokens=job.batch_tokens,
        max_length=job.max_length,
        threads=job.threads,
        cache_entries=0,
    )
    figures = check(
        _sample(job.reference, champion, folder, job),
        _sample(job.current, champion, folder, job),
        labelled=_labelled(job.labelled, champion),
    )
    return DriftOutcome(figures, _proposals(job, folder))


def _sample(documents: Sequence[SampledDocument], champion: "Classifier", folder: Path, job: DriftJob) -> "Sample":
    from models.drift_samples import build
    from models.encoder_vectors import encoder_vectors
    from models.evaluation import score_matrix

    texts = [one.text for one in documents]
    opinions = champion.classify(texts)
    return build(
        texts,
        [one.published_at for one in documents],
        [one.source for one in documents],
        [one.lang for one in documents],
        {head: score_matrix(head, opinions) for head in HEADS},
        encoder_vectors(folder, texts, device=job.device),
    )


def _labelled(rows: Sequence[LabelledText], champion: "Classifier") -> dict[Head, "Labelled"]:
    from models.drift import Labelled
    from models.evaluation import label_ids, score_matrix

    found: dict[Head, Labelled] = {}
    for head in HEADS:
        answered = [(row.text, answer) for row in rows if (answer := row.label(head))]
        if answered:
            opinions = champion.classify([text for text, _ in answered])
            found[head] = Labelled(score_matrix(head, opinions), label_ids(head, [answer for _, answer in answered]))
    return found


def _proposals(job: DriftJob, folder: Path) -> list[Proposal]:
    import numpy as np

    from alerts.reasons.terms import rank, words_of
    from models.encoder_vectors import encoder_vectors
    from models.topic_clusters import propose

    texts = [one.text for one in (*job.newer, *job.older)]
    if not texts:
        return []
    is_new = np.arange(len(texts)) < len(job.newer)
    return propose(
        [words_of(text) for text in texts], is_new, rank, encoder_vectors(folder, texts, device=job.device)
    )


def main(folder: Path) -> None:
    """Compute at low priority, and write the outcome."""
    os.nice(NICENESS)
    job = msgspec.json.decode((folder / JOB_FILE).read_bytes(), type=DriftJob)
    unfinished = folder / f".{OUTCOME_FILE}"
    unfinished.write_bytes(msgspec.json.encode(compute(job)))
    unfinished.replace(folder / OUTCOME_FILE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
