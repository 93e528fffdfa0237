"""The candidate reads for its shadow, in a process of its own: `python -m opinion.shadow_scoring RUN`.

Workers know nothing of it: documents and the champion's verdicts come from SQL, at low priority and a bounded pace.
Every piece is one transaction with the place that it has reached, so a kill costs at most one piece. When enough is
read this process compares and decides, too.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from core.clock import Clock, SystemClock
from core.errors import ModelError
from core.logs import configure_logs, get_logger
from core.records import Document, Opinion
from core.settings import Settings, ShadowSettings, load_settings
from core.watchlists import Watchlists
from opinion import shadowing
from opinion.champion import load_classifier
from opinion.detection import detector_options
from opinion.servers import database
from opinion.shadow_comparison import compare, comparison_of, with_incidents
from storage import model_versions, shadow_runs, shadow_verdicts
from storage.shadow_runs import ShadowRun
from storage.shadow_verdicts import JudgedDocument, VerdictRow
from streams.classify import TextClassifier, document_text, opinions_on
from streams.watching import WatchlistFollower

PIECE: Final = 64  # documents of a transaction
NICENESS: Final = 10  # workers and the scheduler come first
THREADS: Final = 1
TIMED_TEXTS: Final = 256
FEWEST_TIMED: Final = 32
TIMES: Final = 3  # each of the two in turn; the fastest counts, as other processes only ever slow one down

Classify = Callable[[Sequence[str]], Sequence[Opinion]]
log = get_logger(__name__)


@dataclass
class Scorer:
    """Reads what is there and goes; `texts` keeps some of it, to hold the models' speed against each other."""

    engine: Engine
    candidate: TextClassifier
    watchlists: Watchlists
    settings: ShadowSettings
    lateness: timedelta
    clock: Clock
    sleep: Callable[[float], None] = time.sleep
    texts: list[str] = field(default_factory=list)

    def read(self, run_id: int) -> None:
        """Piece by piece, until nothing is left that has arrived, enough is read, or somebody has ended the run."""
        while True:
            began = time.monotonic()
            with self.engine.connect() as connection:
                run = shadow_runs.current(connection)
                if run is None or run.id != run_id or run.state != "scoring" or self._is_over(run):
                    return
                until = shadowing.horizon(connection, now=self.clock.now(), lateness=self.lateness)
                limit = min(PIECE, self.settings.per_minute)
                found = shadow_verdicts.next_documents(connection, run, until=until, limit=limit) if until else []
            if not found or not self._keep(run, found):
                return
            self.sleep(max(0.0, 60 * len(found) / self.settings.per_minute - (time.monotonic() - began)))

    def _is_over(self, run: ShadowRun) -> bool:
        return shadowing.is_over(run, self.settings, self.clock.now())

    def _keep(self, run: ShadowRun, found: Sequence[JudgedDocument]) -> bool:
        judged = list(zip(found, self._judge([_document(one) for one in found]), strict=True))
        rows = [_verdict(one, opinion) for one, opinion in judged if opinion is not None]
        live = sum(run.live_from is not None and row.published_at >= run.live_from for row in rows)
        with self.engine.begin() as connection:
            is_wanted = shadow_runs.advance(
                connection,
                run.id,
                reached=(found[-1].published_at, found[-1].id),
                scored=len(rows),
                live=live,
                failures=len(found) - len(rows),
            )
            if is_wanted:
                shadow_verdicts.add(connection, run.id, rows)
        return is_wanted

    def _judge(self, documents: Sequence[Document]) -> list[Opinion | None]:
        """None for a document that the candidate cannot take; one such does not cost the others."""
        try:
            opinions = opinions_on(self.candidate, self.watchlists, documents)
        except Exception as error:  # whatever a candidate does to a document, it is the candidate that is on trial
            if len(documents) > 1:
                return [one for document in documents for one in self._judge([document])]
            log.warning(
                "candidate_failed", version=self.candidate.version, document=documents[0].id, error=str(error)
            )
            return [None]
        self.texts += [document_text(one) for one in documents][: max(0, TIMED_TEXTS - len(self.texts))]
        return list(opinions)


def load(settings: Settings, path: str) -> TextClassifier:
    """A model that leaves the processors to others, and knows no answer from before.

    Raises:
        ModelError: it cannot be loaded.
    """
    models = settings.models.model_copy(update={"threads": THREADS, "cache_entries": 0})
    return load_classifier(settings.model_copy(update={"models": models}), path)


def visit(
    engine: Engine,
    run_id: int,
    settings: Settings,
    clock: Clock,
    sleep: Callable[[float], None] = time.sleep,
    load: Callable[[Settings, str], TextClassifier] = load,
) -> None:
    """Read what there is to read for a run, and decide if that was the last of it.

    Raises:
        ModelError: the candidate cannot be loaded.
    """
    with engine.connect() as connection:
        run = shadow_runs.current(connection)
        paths = {one.version: one.path for one in model_versions.versions(connection)}
    if run is None or run.id != run_id or run.state != "scoring":
        return
    known = comparison_of(run)
    slower = known.slower if known is not None else None
    if not shadowing.is_over(run, settings.shadow, clock.now()):
        candidate = _known(load(settings, paths[run.candidate]), run.candidate)
        follower = WatchlistFollower(engine)
        follower.catch_up()
        scorer = Scorer(
            engine, candidate, follower.current(), settings.shadow, settings.detect.lateness, clock, sleep
        )
        scorer.read(run_id)
        if slower is None and len(scorer.texts) >= FEWEST_TIMED:
            try:
                champion = _known(load(settings, paths.get(run.champion, run.champion)), run.champion)
            except ModelError as error:  # no fault of the candidate
                log.warning("champion_not_loaded", version=run.champion, error=str(error))
            else:
                slower = slowness(champion.classify, candidate.classify, scorer.texts)
    with engine.connect() as connection:
        run = shadow_runs.current(connection)
        if run is None or run.id != run_id or run.state != "scoring":
            return
        pairs = shadow_verdicts.pairs(connection, run.id)
        comparison = compare(run, pairs, slower=slower)
        is_over = shadowing.is_over(run, settings.shadow, clock.now())
        if is_over:
            comparison = with_incidents(connection, comparison, run, pairs, detector_options(settings.detect))
    if is_over:
        shadowing.decide(engine, run_id, comparison, pairs, settings.shadow, clock.now())
    else:
        with engine.begin() as connection:
            shadowing.keep(connection, run, comparison, pairs)


def slowness(
    champion: Classify, candidate: Classify, texts: Sequence[str], timer: Callable[[], float] = time.perf_counter
) -> float:
    """How many times the champion's time the candidate takes for the same texts."""
    taken: dict[str, list[float]] = {"champion": [], "candidate": []}
    for _ in range(TIMES):
        for name, classify in (("champion", champion), ("candidate", candidate)):
            began = timer()
            classify(texts)
            taken[name].append(timer() - began)
    return round(min(taken["candidate"]) / max(min(taken["champion"]), 1e-9), 3)


def _known(loaded: TextClassifier, version: str) -> TextClassifier:
    if loaded.version != version:
        raise ModelError(f"the folder of {version} holds {loaded.version}", remedy="opinion models list")
    return loaded


def _document(one: JudgedDocument) -> Document:
    return Document(
        id=one.id, source=one.source, lang=one.lang, title=one.title, text=one.text, quoted_text=one.quoted_text
    )


def _verdict(one: JudgedDocument, opinion: Opinion) -> VerdictRow:
    toward = {mention.watchlist: mention.sentiment for mention in opinion.mentions or ()}
    both: dict[str, list[str]] = {
        name: [one.mentions[name], toward[name]] for name in sorted(one.mentions.keys() & toward.keys())
    }
    return VerdictRow(
        one.published_at,
        one.id,
        one.source,
        one.kind,
        one.lang,
        one.topic_label,
        opinion.topic_label,
        one.sentiment,
        opinion.sentiment,
        one.score_negative,
        opinion.sentiment_scores["negative"],
        one.score_topic,
        opinion.topic_scores[opinion.topic_label],
        both or None,
    )


def main(run_id: int) -> None:
    """Read at low priority; nothing where another process reads already."""
    os.nice(NICENESS)
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    with database(settings) as engine, shadow_runs.only_scorer(engine) as is_ours:
        if is_ours:
            visit(engine, run_id, settings, SystemClock())


if __name__ == "__main__":
    main(int(sys.argv[1]))
