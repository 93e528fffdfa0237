"""The walk over stored documents that has another model judge them again, behind the detector's back.

Nobody is alerted: documents that the detector may still judge, or show as evidence, are left as they are
(`storage.settled_history`), and how the model compares with the ones before it is measured first, so that what reads
longer spans translates its counts (`alerts.watches.drift_watch`).
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine

from alerts.detection.detectors import DetectorOptions
from alerts.detection.rules import CAMPAIGN_ALERT, RULE_ALERTS
from core.logs import get_logger
from core.records import Document, Opinion
from core.watchlists import Watchlists
from opinion.model_overlap import FEWEST_DOCUMENTS, SAMPLE, overlap_rows
from storage import judged_texts, model_switches, reclassifications, settled_history, stored_documents
from storage.reclassifications import Job, Judged, Wanted
from storage.settled_history import Settled
from storage.stored_documents import Place, StoredDocument
from streams.classify import TextClassifier, opinions_on
from streams.store import kept_topic_scores

log = get_logger(__name__)

PAGE_DOCUMENTS: Final = 256  # one transaction each, short enough that workers hardly wait for it
MOST_LAG: Final = 1000  # records that the workers have not taken yet; with more, the processors are theirs
LAG_SECONDS: Final = 5.0
MOST_FAILED: Final = 16  # documents in a row that the model cannot take: then it is the model


@dataclass(frozen=True)
class Pace:
    """How the walk keeps out of the way.

    Attributes:
        rate: most documents a second; None: as fast as it goes.
        lag: records that wait in the stream, as far as is known.
        wait: for so many seconds.
    """

    rate: float | None = None
    lag: Callable[[], int] = lambda: 0
    wait: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @property
    def page(self) -> int:
        """Documents of a transaction."""
        return PAGE_DOCUMENTS if self.rate is None else max(1, min(PAGE_DOCUMENTS, round(self.rate)))

    def let_pass(self) -> None:
        """Wait while the stream is behind."""
        while self.lag() > MOST_LAG:
            self.wait(LAG_SECONDS)

    def keep(self, documents: int, began: float) -> None:
        """Wait until so many documents have taken as long as they may."""
        if self.rate is not None and (left := documents / self.rate - (self.clock() - began)) > 0:
            self.wait(left)


@dataclass
class Reclassification:
    """One run; go on with a broken one by running the same again.

    Attributes:
        load: the classifier; its version is what `wanted` names.
        watched: the watchlists as they are now; with them mentions are found again in a text.
        on_progress: told how many more documents are done.
    """

    engine: Engine
    wanted: Wanted
    load: Callable[[], TextClassifier]
    watched: Watchlists = field(default_factory=Watchlists)
    pace: Pace = field(default_factory=Pace)
    on_progress: Callable[[int], None] = lambda documents: None
    _failed_in_a_row: int = 0

    def run(self) -> Job:
        """Walk to the end.

        Raises:
            DependencyNotReadyError: another rewriter of history is at work.
            UsageError: another job has not finished some of these documents.
            ReclassificationEnded: it was cancelled meanwhile.
            sqlalchemy.exc.DBAPIError: the database is away; what is done is kept.
        """
        with stored_documents.only_one(self.engine):
            with self.engine.begin() as connection:
                job = reclassifications.begin(connection, self.wanted)
            log.info("reclassification_runs", id=job.id, model_version=job.wanted.model_version)
            self.on_progress(job.figures.get("documents", 0))
            self._compare()
            self._walk(job)
            with self.engine.begin() as connection:
                return reclassifications.finish(connection, job.id)

    @cached_property
    def classifier(self) -> TextClassifier:
        """Loaded once, if at all."""
        return self.load()

    def _compare(self) -> None:
        """Measure how many negatives the model finds against those that judged before it, while their verdicts are
        still there."""
        new = self.wanted.model_version
        with self.engine.connect() as connection:
            olds = judged_texts.models_between(connection, self.wanted.since, self.wanted.until)
        for old in olds:
            with self.engine.connect() as connection:
                is_known = old == new or judged_texts.is_overlap_known(connection, old, new)
                if is_known or judged_texts.documents_of(connection, old) < FEWEST_DOCUMENTS:
                    continue
                sample = judged_texts.judged_by(connection, old, SAMPLE)
            answers = self.classifier.classify([one.text for one in sample])
            rows = overlap_rows(sample, [answer.sentiment for answer in answers])
            with self.engine.begin() as connection:
                model_switches.save_overlap(connection, old, new, rows)

    def _walk(self, job: Job) -> None:
        wanted, place = job.wanted, job.reached
        while True:
            self.pace.let_pass()
            began = self.pace.clock()
            with self.engine.connect() as connection:
                settled = _settled(connection)
                documents = stored_documents.page(
                    connection,
                    place,
                    wanted.since,
                    self.pace.page,
                    until=wanted.until,
                    sources=wanted.sources,
                    watchlists=wanted.watchlists,
                )
            if not documents:
                return
            reached = Place(documents[-1].published_at, documents[-1].id)
            rescored = self._rescore(job.id, documents, settled, place, reached)
            place = reached
            self.on_progress(len(documents))
            self.pace.keep(rescored, began)

    def _rescore(
        self, job_id: int, documents: Sequence[StoredDocument], settled: Settled, after: Place | None, reached: Place
    ) -> int:
        """One transaction, and one more as often as a worker revises some of them meanwhile; returns how many were
        judged."""
        asked = 0
        more = Counter(documents=len(documents))
        while True:
            may = [one for one in documents if one.published_at < settled.of(one.source)]
            judged, failed = self._judged([one for one in may if not self._is_done(one)])
            more.update(left=len(documents) - len(may), failed=failed)
            asked += len(judged)
            with self.engine.begin() as connection:
                documents = reclassifications.apply(
                    connection, job_id, judged, after=after, reached=reached, more=more
                )
            if not documents:
                return asked

    def _is_done(self, document: StoredDocument) -> bool:
        judges = {one.get("model_version") or document.model_version for one in document.mentions or ()}
        return judges | {document.model_version} == {self.wanted.model_version}

    def _judged(self, documents: Sequence[StoredDocument]) -> tuple[list[Judged], int]:
        """What the model says of each that it can take, and how many it cannot."""
        if not documents:
            return [], 0
        try:
            opinions = self._opinions(documents)
        except Exception as error:
            if len(documents) > 1:
                parts = [self._judged([one]) for one in documents]
                return [one for judged, _ in parts for one in judged], sum(failed for _, failed in parts)
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= MOST_FAILED:
                raise
            log.warning("document_not_rescored", id=documents[0].id, error=f"{type(error).__name__}: {error}")
            return [], 1
        self._failed_in_a_row = 0
        return [Judged(one, opinion) for one, opinion in zip(documents, opinions, strict=True)], 0

    def _opinions(self, documents: Sequence[StoredDocument]) -> list[Opinion]:
        """As a worker with this model would judge them now."""
        asked = [
            Document(text=one.text, title=one.title, quoted_text=one.quoted_text, source=one.source, lang=one.lang)
            for one in documents
        ]
        return [
            msgspec.structs.replace(opinion, topic_scores=kept_topic_scores(opinion))
            for opinion in opinions_on(self.classifier, self.watched, asked)
        ]


def _settled(connection: Connection) -> Settled:
    return settled_history.settled(connection, widest=_widest, alerts=(*RULE_ALERTS, CAMPAIGN_ALERT))


def _widest(bucket: timedelta) -> timedelta:
    return DetectorOptions(bucket=bucket).windows[-1] * bucket
