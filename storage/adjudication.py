"""What people's answers come to, text by text: what models learn from, and what somebody has to settle first."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from core.settled_answers import Answer, newest, settle
from core.taxonomy import Head
from core.texts import text_hash
from storage.human_labels import LabelRow, NewLabel, Statement, label_key

SHOWN_KEY: Final = 12  # hex digits by which people name a text; a tenth of a millionth share one in a million


@dataclass
class AnsweredText:
    """One text with what people's answers come to, for each head that they have settled.

    Attributes:
        first_recorded_at: when its first answer reached us. A later correction does not move it, so a text that
            was trained on once can never turn into a held-out one.
    """

    text: str
    lang: str
    source: str
    first_recorded_at: datetime
    key: bytes
    answers: dict[Head, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conflict:
    """A question that people answer differently.

    Attributes:
        key: of the text, see `core.texts.text_hash`.
        answers: the newest of each annotator, by name; adjudications are not among them.
        settled: what counts nevertheless; None while nothing does: it waits for an adjudicator.
        about: one of the answers, of a stored document where there is one.
    """

    key: bytes
    head: Head
    document_id: str | None
    text: str
    answers: dict[str, str]
    settled: str | None
    about: LabelRow

    @property
    def name(self) -> str:
        """How people name the text to `opinion labels adjudicate`."""
        return self.key.hex()[:SHOWN_KEY]


def adjudicate(rows: Iterable[LabelRow]) -> tuple[list[AnsweredText], int]:
    """One entry for each text that has a settled answer, in the order they were first answered, and the newest
    label's id (0 without any). `core.settled_answers` says what counts; what is not settled is left out.

    Answers that reached us together (one import) are ordered by a hash of the text, so that a file sorted by
    class does not put one class into the held-out part.
    """
    texts: dict[bytes, AnsweredText] = {}
    given: defaultdict[tuple[bytes, Head], list[Answer]] = defaultdict(list)
    last_label_id = 0
    for row in rows:
        last_label_id = max(last_label_id, row.id)
        key = text_hash(row.text)
        if key not in texts:
            texts[key] = AnsweredText(row.text, row.lang, row.source, row.recorded_at, key)
        given[key, row.head].append(_answer(row))
    for (key, head), answers in given.items():
        if found := settle(answers):
            texts[key].answers[head] = found.answer
    answered = (text for text in texts.values() if text.answers)
    return sorted(answered, key=lambda text: (text.first_recorded_at, text.key)), last_label_id


def conflicts(rows: Iterable[LabelRow], *, is_open_only: bool = True) -> list[Conflict]:
    """What annotators disagree about, in the order of first answers.

    Args:
        is_open_only: leave out what a majority or an adjudicator has settled.
    """
    asked: defaultdict[tuple[bytes, Head], list[LabelRow]] = defaultdict(list)
    for row in rows:
        asked[text_hash(row.text), row.head].append(row)
    found = []
    for (key, head), about in asked.items():
        answers = [_answer(row) for row in about]
        said = {one.annotator: one.answer for one in newest(one for one in answers if not one.is_adjudication)}
        if len(set(said.values())) < 2:
            continue
        settled = settle(answers)
        if settled and is_open_only:
            continue
        known = next((row for row in about if row.document_id), about[0])
        counts = settled.answer if settled else None
        found.append(Conflict(key, head, known.document_id, about[0].text, said, counts, known))
    return found


def settling(about: NewLabel, said: Statement) -> NewLabel:
    """The label by which somebody settles what others disagree about.

    Args:
        about: any answer about the same text; its document and text are taken.
        said: the answer, who gives it, when, and by which guideline.
    """
    return about._replace(
        label_key=label_key(said._replace(text=about.text)),
        head=said.head,
        answer=said.answer,
        annotator=said.annotator,
        labelled_at=said.labelled_at or about.labelled_at,
        guideline=said.guideline,
        seconds=None,
        intake=said.intake,
        is_adjudication=True,
    )


def _answer(row: LabelRow) -> Answer:
    return Answer(row.annotator, row.answer, row.labelled_at, row.id, row.is_adjudication)
