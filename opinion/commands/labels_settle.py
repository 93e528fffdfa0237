"""`opinion labels agreement`, `conflicts`, `adjudicate`: how far people agree, and what to do where they do not."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from core.errors import NotFoundError, RecordRejected, UsageError
from core.records import Label
from core.settings import load_settings
from core.taxonomy import HEADS
from core.texts import text_hash
from opinion.commands.json_rows import row_as_json
from opinion.servers import servers
from storage import human_labels, people_verdicts
from storage.adjudication import Conflict, conflicts, settling
from storage.agreement import agreement
from storage.engine import connect
from storage.human_labels import LabelRow, NewLabel, Statement
from streams.labels import check

FEWEST_DIGITS = 8  # of a text's name: fewer could be a word
SHOWN_CHARS = 60

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def agreement_of_annotators(as_json: AsJson = False) -> None:
    """How far annotators agree: Cohen's kappa for each pair and head, Krippendorff's alpha for all together.

    1 is full agreement, 0 is what chance alone would give. Only texts that both, or at least two, answered count.

    Example: opinion labels agreement --json
    """
    settings = load_settings()
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.connect() as connection:
                together, pairs = agreement(human_labels.rows(connection))
        finally:
            engine.dispose()
    if as_json:
        body = {"heads": [row_as_json(one) for one in together], "pairs": [row_as_json(pair) for pair in pairs]}
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    table = Table("head", "annotators", "texts", "same", "kappa or alpha", title="Agreement")
    for one in together:
        table.add_row(one.head, f"all {one.annotators}", str(one.texts), "", _figure(one.alpha))
    for pair in pairs:
        both = Text(" and ".join(pair.annotators))
        table.add_row(pair.head, both, str(pair.texts), f"{pair.same:.1%}", _figure(pair.kappa))
    Console().print(table)


def conflicts_of_annotators(
    include_settled: Annotated[
        bool, typer.Option("--all", help="Also what a majority or an adjudicator has settled.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Texts that annotators answer differently with no majority: models do not learn from them until it is settled.

    Example: opinion labels conflicts --json
    """
    settings = load_settings()
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.connect() as connection:
                found = conflicts(human_labels.rows(connection), is_open_only=not include_settled)
        finally:
            engine.dispose()
    if as_json:
        typer.echo(json.dumps({"conflicts": [_as_json(one) for one in found]}, ensure_ascii=False))
        return
    table = Table("text", "head", "answers", "settled", "says", title="Conflicts")
    for one in found:
        said = ", ".join(f"{name}: {answer}" for name, answer in sorted(one.answers.items()))
        says = " ".join(one.text.split())[:SHOWN_CHARS]
        table.add_row(one.name, one.head, Text(said), one.settled or "", Text(says))
    Console().print(table if found else "no conflicts")


def adjudicate_text(
    subject: Annotated[
        str, typer.Argument(metavar="TEXT", help="As `opinion labels conflicts` names it, or a document's id.")
    ],
    by: Annotated[str, typer.Option(help="Who settles it.")],
    topic: Annotated[str | None, typer.Option(help="The right topic.")] = None,
    sentiment: Annotated[str | None, typer.Option(help="The right sentiment.")] = None,
    guideline: Annotated[str, typer.Option(help="Version of the guideline you went by.")] = "",
    as_json: AsJson = False,
) -> None:
    """Settle what annotators disagree about; it wins over all their answers, and a later adjudication over it.

    Example: opinion labels adjudicate 3fa9c1d2e4b5 --topic finance --by li
    """
    answers = [(head, answer) for head, answer in zip(HEADS, (topic, sentiment), strict=True) if answer]
    if not answers:
        raise UsageError("nothing is answered", remedy="give --topic, --sentiment or both")
    settings = load_settings()
    now = datetime.now(UTC)
    with servers(settings, need_kafka=False) as addresses:
        engine = connect(addresses.database_url)
        try:
            with engine.begin() as connection:
                about = _subject(connection, subject)
                labels = []
                for head, answer in answers:
                    try:
                        label = Label(head=head, answer=answer, text="x", annotator=by, guideline=guideline)
                        said = check(label, now)._replace(is_adjudication=True, intake="command", labelled_at=now)
                    except RecordRejected as rejected:
                        raise UsageError(rejected.detail) from rejected
                    labels.append(settling(about, said))
                people_verdicts.record(connection, labels)
        finally:
            engine.dispose()
    name = text_hash(about.text).hex()[: len(subject)] if about.document_id is None else about.document_id
    body: dict[str, Any] = {"text": name, "answers": dict(answers), "by": labels[0].annotator}
    typer.echo(
        json.dumps(body, ensure_ascii=False) if as_json else f"{name}: {topic or ''} {sentiment or ''}".strip()
    )


def _subject(connection: Connection, subject: str) -> NewLabel:
    """The text or document that is meant, as a label of it.

    Raises:
        NotFoundError: there is neither such a text nor such a document. UsageError: several texts are meant.
    """
    document = human_labels.documents_by_id(connection, [subject]).get(subject)
    if document:
        stated = Statement("topic", "", document.document_id, None, "", "", "", None)
        return human_labels.linked(stated, document, now=datetime.now(UTC))
    prefix = subject.lower()
    found: dict[str, LabelRow] = {}
    if len(prefix) >= FEWEST_DIGITS and set(prefix) <= set("0123456789abcdef"):
        for row in human_labels.rows(connection):
            if (key := text_hash(row.text).hex()).startswith(prefix):
                kept = found.get(key)
                found[key] = row if kept is None or row.document_id else kept
    if len(found) > 1:
        raise UsageError(
            f"{subject}: {len(found)} texts begin so", remedy=f"give more of: {', '.join(sorted(found))}"
        )
    if not found:
        raise NotFoundError(f"no answered text and no document {subject!r}", remedy="opinion labels conflicts")
    (row,) = found.values()
    return NewLabel(*row[1:10])


def _as_json(one: Conflict) -> dict[str, Any]:
    return {
        "text_key": one.name,
        "head": one.head,
        "document_id": one.document_id,
        "text": one.text,
        "answers": one.answers,
        "settled": one.settled,
    }


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
