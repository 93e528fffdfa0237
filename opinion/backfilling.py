"""The walk over stored documents that gives new and changed watchlists their mentions and counts."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Engine

from core.logs import get_logger
from core.texts import whole_text
from core.watchlists import Watchlists
from storage import stored_documents, watchlist_backfills
from storage.stored_documents import Place, StoredDocument
from storage.watchlist_backfills import BackfillState, Change
from streams.classify import TextClassifier, mention_of, what_to_read

log = get_logger(__name__)

PAGE_DOCUMENTS: Final = 256  # one transaction each, short enough that workers hardly wait for it
FOLLOWED_SECONDS: Final = 15.0
"""By then every worker that can reach the database knows a change, and has stored what it had in hand before."""

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""Workers say by their own clock, and before the transaction, when a document was stored."""

Changed = dict[str, dict[str, Any] | None]
"""By watchlist the mention, as JSON, that a document shall have of it; None for none."""


class Question(NamedTuple):
    """How a document speaks of a watchlist that it is not known to mention; the answer goes into `changed`."""

    document: StoredDocument
    watchlist: str
    times: int
    read: tuple[str, ...]
    changed: Changed


@dataclass(frozen=True)
class Plan:
    """What to bring up to date.

    Attributes:
        watched: all watchlists, as workers have them now.
        revisions: of those to bring up to date, by name.
        changed_at: when the newest of these was changed.
        since: documents published then or later; None takes all.
    """

    watched: Watchlists
    revisions: Mapping[str, int]
    changed_at: datetime
    since: datetime | None = None


@dataclass
class Backfill:
    """One run; go on with a broken one by running the same plan again.

    Attributes:
        load: the classifier; asked when there is something to classify.
        on_progress: told how many more documents are done.
        wait: for so many seconds, until workers have followed.
    """

    engine: Engine
    plan: Plan
    load: Callable[[], TextClassifier]
    on_progress: Callable[[int], None] = lambda documents: None
    wait: Callable[[float], None] = time.sleep
    figures: dict[str, int] = field(default_factory=dict)

    def run(self) -> dict[str, int]:
        """Walk to the end. Returns how many documents were read and how many mentions added and removed.

        Raises:
            DependencyNotReadyError: another backfill is at work.
            sqlalchemy.exc.DBAPIError: the database is away; what is done is kept.
        """
        with stored_documents.only_one(self.engine):
            key = watchlist_backfills.key_of(self.plan.revisions, self.plan.since)
            with self.engine.begin() as connection:
                names = sorted(self.plan.revisions)
                state = watchlist_backfills.begin(connection, key, names, self.plan.since)
            self.figures = {"documents": 0, "added": 0, "removed": 0, **state.figures}
            self.on_progress(self.figures["documents"])
            self._walk(key, state)
            self._walk_what_came_meanwhile(state)
            with self.engine.begin() as connection:
                watchlist_backfills.finish(connection, key)
        return self.figures

    @cached_property
    def classifier(self) -> TextClassifier:
        """Loaded once, if at all."""
        return self.load()

    def _walk(self, key: bytes, state: BackfillState) -> None:
        while True:
            with self.engine.connect() as connection:
                documents = stored_documents.page(connection, state.reached, self.plan.since, PAGE_DOCUMENTS)
            if not documents:
                return
            self._bring_up_to_date(documents)
            state.reached = Place(documents[-1].published_at, documents[-1].id)
            self.figures["documents"] += len(documents)
            state.figures = self.figures
            with self.engine.begin() as connection:
                watchlist_backfills.save(connection, key, state)
            self.on_progress(len(documents))

    def _walk_what_came_meanwhile(self, state: BackfillState) -> None:
        """Workers that did not know the change yet may have stored documents behind the walk's back."""
        known_at = self.plan.changed_at + timedelta(seconds=FOLLOWED_SECONDS)
        if (seconds := (known_at - datetime.now(UTC)).total_seconds()) > 0:
            self.wait(seconds)
        place: Place | None = None
        while True:
            with self.engine.connect() as connection:
                documents = stored_documents.page(
                    connection, place, self.plan.since, PAGE_DOCUMENTS, stored_since=state.started_at - CLOCKS_DIFFER
                )
            if not documents:
                return
            self._bring_up_to_date(documents)
            place = Place(documents[-1].published_at, documents[-1].id)

    def _bring_up_to_date(self, documents: Sequence[StoredDocument]) -> None:
        """One transaction, and one more as often as a worker revises some of them meanwhile."""
        while documents:
            changes = self._changes(documents)
            if not changes:
                return
            with self.engine.begin() as connection:
                documents = watchlist_backfills.apply(connection, changes)
            stale = {document.id for document in documents}
            for change in changes:
                if change.document.id not in stale:
                    had = {one["watchlist"] for one in change.document.mentions or ()}
                    self.figures["added"] += sum(
                        one is not None and name not in had for name, one in change.mentions.items()
                    )
                    self.figures["removed"] += sum(one is None for one in change.mentions.values())

    def _changes(self, documents: Sequence[StoredDocument]) -> list[Change]:
        """What is not as it has to be. Only mentions that are new are judged."""
        changes: list[Change] = []
        questions: list[Question] = []
        for document in documents:
            text = whole_text(document.title, document.text, document.quoted_text)
            found = self.plan.watched.find(text, source=document.source, lang=document.lang)
            had = {
                one["watchlist"]: one for one in document.mentions or () if one["watchlist"] in self.plan.revisions
            }
            changed: Changed = dict.fromkeys(had.keys() - found.keys())
            for name in self.plan.revisions.keys() & found.keys():
                times = len(found[name])
                if name not in had:
                    read = what_to_read(self.classifier, text, found[name], watchlists_mentioned=len(found))
                    changed[name] = {}
                    questions.append(Question(document, name, times, read, changed))
                elif had[name]["mentions"] != times:
                    changed[name] = {**had[name], "mentions": times}
            if changed:
                changes.append(Change(document, changed))
        self._judge(questions)
        return changes

    def _judge(self, questions: Sequence[Question]) -> None:
        """Fill in the answers, all in one call."""
        if not questions:
            return
        answers = iter(self.classifier.classify([text for question in questions for text in question.read]))
        for document, name, times, read, changed in questions:
            mention = mention_of(name, times, list(islice(answers, len(read))), self.classifier.uncertain_below)
            if self.classifier.version != document.model_version:
                mention = msgspec.structs.replace(mention, model_version=self.classifier.version)
            changed[name] = msgspec.to_builtins(mention)
