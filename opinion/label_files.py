"""Labels in files: JSON Lines, CSV and Label Studio's JSON, checked line by line before anything is stored."""

import csv
import gzip
import io
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import IO, Annotated, Any, Final, get_args

import msgspec

from core.errors import NotFoundError, RecordRejected, UsageError
from core.records import Label
from core.scrubbing import scrub
from core.taxonomy import HEADS, Head
from core.texts import normalised
from core.times import parse_time
from opinion import label_studio
from storage.human_labels import Intake, LabelRow, Statement
from streams.json_values import parse_json
from streams.labels import check

SUFFIXES: Final = (".jsonl", ".ndjson", ".csv", ".json", ".jsonl.gz", ".ndjson.gz", ".csv.gz", ".json.gz")
EXPORTED: Final = (
    "id",
    "text",
    "topic",
    "sentiment",
    "lang",
    "source",
    "annotator",
    "labelled_at",
    "key",
    "guideline",
    "seconds",
    "intake",
    "is_adjudication",
)
MAX_CELL_CHARS: Final = 10_000_000  # a longer text is rejected by its own line, not by the CSV reader


class Rejected(msgspec.Struct, frozen=True):
    """A line that is not imported, as the rejects file shows it; of Label Studio's JSON, the task of this number."""

    line: int
    reason: str
    detail: str
    content: str


class _Line(msgspec.Struct):
    id: str | None = None
    text: str | None = None
    topic: str | None = None
    sentiment: str | None = None
    lang: str | None = None
    source: str | None = None
    annotator: str | None = None
    labelled_at: str | int | float | None = None
    key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None
    guideline: str | None = None
    seconds: float | str | None = None
    intake: str | None = None
    is_adjudication: bool | str | None = None

    def answer(self, head: Head) -> str | None:
        return (self.topic if head == "topic" else self.sentiment) or None


@dataclass
class LabelFile:
    """What stands in a file.

    Attributes:
        statements: by line number; one line may answer both heads.
        unlabelled: lines without any answer, which is no fault.
    """

    path: Path
    statements: dict[int, list[Statement]] = field(default_factory=dict)
    rejects: list[Rejected] = field(default_factory=list)
    lines: int = 0
    unlabelled: int = 0
    _content: dict[int, str] = field(default_factory=dict, repr=False)

    def reject(self, line: int, reason: str, detail: str) -> None:
        """Take a line out, with all its answers."""
        self.statements.pop(line, None)
        self.rejects.append(Rejected(line, reason, detail, self._content.get(line, "")[:500]))

    def keep_content(self, line: int, content: str) -> None:
        """Remember what a line says, should it be rejected later."""
        self._content[line] = content


@dataclass(frozen=True)
class _Unsaid:
    """What is taken where a line does not say."""

    annotator: str
    guideline: str
    zone: tzinfo
    now: datetime


def read(path: Path, *, annotator: str, zone: tzinfo, now: datetime, guideline: str = "") -> LabelFile:
    """Read and check a whole file; a bad line is reported and spoils no other.

    Args:
        annotator: for lines that name none.
        zone: for times without an offset.
        guideline: version of the guideline, for lines that name none.

    Raises:
        NotFoundError: no such file.
        UsageError: neither JSON Lines, CSV nor Label Studio's JSON, or not readable as such at all.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    if not path.name.endswith(SUFFIXES):
        raise UsageError(f"{path}: neither of {', '.join(SUFFIXES)}")
    found = LabelFile(path)
    unsaid = _Unsaid(annotator, guideline, zone, now)
    try:
        with _open(path) as file:
            if path.name.endswith((".json", ".json.gz")):
                for number, task in enumerate(label_studio.tasks(file.read()), start=1):
                    _take(found, number, task, lambda task: _of_task(task, unsaid))
            else:
                for number, content in (
                    _csv_rows(file) if path.name.endswith((".csv", ".csv.gz")) else enumerate(file, start=1)
                ):
                    if isinstance(content, Mapping) or content.strip():
                        _take(found, number, content, lambda content: _statements(_parse(content), unsaid))
    except (OSError, EOFError, ValueError, zlib.error, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    _reject_conflicts(found)
    return found


def _of_task(task: bytes | dict[str, Any], unsaid: _Unsaid) -> list[Statement]:
    return label_studio.statements(
        task if isinstance(task, bytes) else b"",
        annotator=unsaid.annotator,
        guideline=unsaid.guideline,
        now=unsaid.now,
    )


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _csv_rows(file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    # Excel writes a byte order mark; a byte that is no UTF-8 costs its own line only, see `_parse`.
    csv.field_size_limit(MAX_CELL_CHARS)
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.DictReader(text)
        columns = set(reader.fieldnames or ())
        if not columns & {"text", "id"} or not columns & set(HEADS):
            raise UsageError("the CSV needs a header with `id` or `text`, and `topic` or `sentiment`")
        for row in reader:
            yield reader.line_num, row


def _take(
    found: LabelFile,
    number: int,
    content: bytes | dict[str, Any],
    read_it: Callable[[bytes | dict[str, Any]], list[Statement]],
) -> None:
    found.lines += 1
    shown = ",".join(map(str, content.values())).encode("utf-8", "replace") if isinstance(content, dict) else content
    found.keep_content(number, shown.decode("utf-8", "replace").strip())
    try:
        statements = read_it(content)
    except RecordRejected as rejected:
        found.reject(number, rejected.reason, rejected.detail)
        return
    if statements:
        found.statements[number] = statements
    else:
        found.unlabelled += 1


def _parse(content: bytes | dict[str, Any]) -> _Line:
    if not isinstance(content, dict):
        return parse_json(content, _Line)
    cells = {name: csv_plain(content.get(name) or "") or None for name in _Line.__struct_fields__}
    try:
        "".join(cell or "" for cell in cells.values()).encode()
        return msgspec.convert(cells, _Line)
    except UnicodeEncodeError as error:
        raise RecordRejected("bad_encoding", "not UTF-8: save the file as UTF-8") from error
    except msgspec.ValidationError as error:
        raise RecordRejected("bad_record", str(error)) from error


def _statements(line: _Line, unsaid: _Unsaid) -> list[Statement]:
    """Raises RecordRejected for the whole line: half a line is never imported."""
    try:
        labelled_at = parse_time(line.labelled_at, unsaid.zone) if line.labelled_at else None
    except ValueError as error:
        raise RecordRejected("bad_record", f"labelled_at: {error}") from error
    try:
        seconds = float(line.seconds) if line.seconds not in (None, "") else None
    except ValueError as error:
        raise RecordRejected("bad_record", f"seconds: not a number: {line.seconds!r:.40}") from error
    # An export says how an answer first came; any other line comes by its file.
    intake: Intake = next((one for one in get_args(Intake) if line.key and one == line.intake), "file")
    key = bytes.fromhex(line.key) if line.key else None
    statements = []
    for head in HEADS:
        if answer := line.answer(head):
            # The same rules as for a record of the label topic; a class that is not known is found there.
            label = Label(
                head=head,
                answer=answer,
                document_id=line.id,
                text=line.text,
                lang=line.lang,
                source=line.source,
                annotator=line.annotator or unsaid.annotator,
                labelled_at=labelled_at,
                guideline=line.guideline or unsaid.guideline,
                seconds=seconds,
                is_adjudication=_is_true(line.is_adjudication),
            )
            statements.append(check(label, unsaid.now)._replace(key=key, intake=intake))
    return statements


def _is_true(stated: bool | str | None) -> bool:
    if isinstance(stated, str) and stated.lower() not in _TRUTHS:
        raise RecordRejected("bad_record", f"is_adjudication: neither true nor false: {stated!r:.40}")
    return _TRUTHS[stated.lower()] if isinstance(stated, str) else bool(stated)


_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


def _reject_conflicts(found: LabelFile) -> None:
    """Lines in which one person gives one text two answers at one time say nothing; none of them is imported."""
    by_question: defaultdict[tuple[Any, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, statements in found.statements.items():
        for said in statements:
            subject = ("text", normalised(said.text)) if said.text else ("document", said.document_id)
            by_question[said.head, subject, said.annotator, said.labelled_at, said.is_adjudication][
                said.answer
            ].append(number)
    reasons: dict[int, str] = {}
    for (head, *_), answers in by_question.items():
        if len(answers) > 1:
            places = ", ".join(f"{answer} in line {lines[0]}" for answer, lines in sorted(answers.items()))
            for number in (number for lines in answers.values() for number in lines):
                reasons.setdefault(number, f"{head}: {places}")
    for number in sorted(reasons):
        found.reject(number, "conflicting_labels", reasons[number])


def write_rejects(path: Path, rejects: Iterable[tuple[Path, Rejected]]) -> None:
    """One JSON object a line: file, line, reason, detail and what the line says."""
    lines = (msgspec.json.encode({"file": file.name, **msgspec.structs.asdict(reject)}) for file, reject in rejects)
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def write_labels(out: IO[str], rows: Iterable[LabelRow], *, is_csv: bool) -> int:
    """Write answers, one a line, in the fields that `read` takes, without personal details. Returns how many."""
    writer = csv.DictWriter(out, EXPORTED) if is_csv else None
    if writer:
        writer.writeheader()
    count = 0
    for row in rows:
        line = {
            "id": row.document_id,
            "text": scrub(row.text),
            "topic": row.answer if row.head == "topic" else None,
            "sentiment": row.answer if row.head == "sentiment" else None,
            "lang": row.lang,
            "source": row.source,
            "annotator": row.annotator,
            "labelled_at": row.labelled_at.isoformat(),
            "key": row.label_key.hex(),
            "guideline": row.guideline,
            "seconds": row.seconds,
            "intake": row.intake,
            "is_adjudication": row.is_adjudication,
        }
        if writer:
            writer.writerow({name: csv_safe("" if value is None else str(value)) for name, value in line.items()})
        else:
            out.write(msgspec.json.encode(line).decode() + "\n")
        count += 1
    return count


def csv_safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, "CSV Injection"): a leading quote makes it text."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def csv_plain(cell: str) -> str:
    """The cell that `csv_safe` made safe."""
    return cell[1:] if cell.startswith("'") and csv_safe(cell[1:]) == cell else cell
