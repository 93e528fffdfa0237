"""A sample of stored documents that the old model judged, judged by the new one: what translates the baselines."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from core import children
from core.errors import NotFoundError
from core.logs import get_logger
from storage import judged_texts, model_switches, model_versions
from storage.judged_texts import JudgedText
from storage.model_switches import OverlapRow

SAMPLE: Final = 1000
FEWEST_DOCUMENTS: Final = 200  # by the old model; fewer hold too few negatives to say anything
MOST_VALUES: Final = 30  # of a label, the most frequent

Judge = Callable[[Sequence[str]], Sequence[str]]
ShouldStop = Callable[[], bool]
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Measured:
    """What two models said of the same documents."""

    old: str
    new: str
    rows: list[OverlapRow]

    @property
    def all(self) -> OverlapRow:
        return self.rows[0]


def measure(engine: Engine, new: str, judge: Judge, *, texts: int = SAMPLE) -> Measured:
    """Hold the new model against the one before it, and keep what comes out; blocks while it judges.

    Args:
        judge: the new model: texts to sentiments.

    Raises:
        NotFoundError: no other model has judged stored documents.
    """
    with engine.connect() as connection:
        old = judged_texts.model_before(connection, new)
        sample = judged_texts.judged_by(connection, old, texts) if old else []
    if old is None or not sample:
        raise NotFoundError(
            f"no stored document was judged by another model than {new}", remedy="opinion models list"
        )
    measured = Measured(old, new, overlap_rows(sample, judge([one.text for one in sample])))
    with engine.begin() as connection:
        model_switches.save_overlap(connection, old, new, measured.rows)
    return measured


def overlap_rows(sample: Sequence[JudgedText], answers: Sequence[str]) -> list[OverlapRow]:
    """In all first, then by topic, source and language."""
    documents: Counter[tuple[str, str]] = Counter()
    by_old: Counter[tuple[str, str]] = Counter()
    by_new: Counter[tuple[str, str]] = Counter()
    for one, answer in zip(sample, answers, strict=True):
        for label in (("", ""), ("topic", one.topic), ("source", one.source), ("lang", one.lang)):
            documents[label] += 1
            by_old[label] += one.sentiment == "negative"
            by_new[label] += answer == "negative"
    kept: list[tuple[str, str]] = [("", "")]
    for name in ("topic", "source", "lang"):
        of_label = sorted((label for label in documents if label[0] == name), key=lambda one: (-documents[one], one))
        kept += of_label[:MOST_VALUES]
    return [OverlapRow(*label, documents[label], by_old[label], by_new[label]) for label in kept]


class OverlapJob:
    """After a promotion has the new champion judge a sample, in a process of its own; once for two models."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self._engine = engine
        self._log_file = home.resolve() / "logs" / "overlap.log"
        self._tried: tuple[str, str] | None = None

    def __call__(self, should_stop: ShouldStop) -> None:
        pair = self._wanted()
        if pair is None or pair == self._tried:
            return
        argv = [sys.executable, "-m", "opinion.cli", "models", "overlap", pair[1]]
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
        with children.open_log(self._log_file) as child_log:
            child = children.spawn(argv, stdout=child_log, env=environment)
        code = children.work_off(child, should_stop)
        if code is None:
            return
        self._tried = pair  # the estimate from the counts has to do if it failed
        log.info("models_compared", old=pair[0], new=pair[1], exit_code=code)

    def _wanted(self) -> tuple[str, str] | None:
        with self._engine.connect() as connection:
            champion = model_versions.champion(connection)
            old = judged_texts.model_before(connection, champion.version) if champion else None
            if champion is None or old is None or judged_texts.is_overlap_known(connection, old, champion.version):
                return None
            if judged_texts.documents_of(connection, old) < FEWEST_DOCUMENTS:
                return None
            return old, champion.version
