"""Copies of erased documents in files: exports, snapshots and whatever else lies under `home`."""

import csv
import gzip
import html
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from ahocorasick_rs import AhoCorasick

from streams.sources.csv_rows import PEEKED_BYTES, guess_encoding

Part = TypeVar("Part")
BY_LINE: Final = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
BY_ROW: Final = (".csv", ".csv.gz")
READ: Final = (*BY_LINE, *BY_ROW, ".json", ".log", ".txt", ".md", ".yaml", ".yml", ".tsv", ".html")
SERVERS: Final = frozenset({"kafka", "postgres", "jars", "faust"})  # Kafka forgets by retention, the rest has no text
MAX_CELL_CHARS: Final = 10_000_000
TABLES: Final = (*BY_ROW, ".tsv", ".txt")  # often not in UTF-8; `opinion import` takes them so
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
REPORT_FILE: Final = "report.html"  # as `models.gate_record` calls it, which loads scikit-learn
BEGIN_CHARS: Final = 60  # so much of a text is looked for: exports may cut it


@dataclass
class Cleaned:
    """What became of the files: lines taken out, folders and reports removed, and what a person has to look at."""

    lines: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class Sought:
    """What tells that a line or cell is about an erased document: its id as a whole, or how its text begins."""

    def __init__(self, ids: Collection[str], texts: Collection[str]) -> None:
        self._ids = frozenset(ids)
        forms = {json.dumps(one, ensure_ascii=is_ascii) for one in ids for is_ascii in (True, False)}
        for text in texts:
            begin = text[:BEGIN_CHARS]
            forms |= {begin, json.dumps(begin, ensure_ascii=False)[1:-1], json.dumps(begin)[1:-1]}
        self._automaton = AhoCorasick(sorted(forms))

    def is_in(self, content: str) -> bool:
        """Whether a file, a line of JSON or a cell holds any of them."""
        if content in self._ids:
            return True
        whole = _UNDECODED.sub("\N{REPLACEMENT CHARACTER}", content)  # the automaton takes no half characters
        return bool(self._automaton.find_matches_as_indexes(whole))


def clean(home: Path, also: Sequence[Path], sought: Sought, *, is_training: bool, is_dry: bool) -> Cleaned:
    """Take every line and row that is about an erased document out of the files under these folders.

    Args:
        also: files and folders outside `home`.
        is_training: a retrain run is at work; its snapshot is left alone and named.
    """
    done = Cleaned()
    for path in sorted({file for root in (home, *also) for file in _files(root, home)}):
        _clean_file(path, home, sought, done, is_training=is_training, is_dry=is_dry)
    return done


def _files(root: Path, home: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        if Path(folder) == home:
            folders[:] = [name for name in folders if name not in SERVERS]
        yield from (Path(folder) / name for name in names if name.endswith(READ) and name != "author.key")


def _clean_file(path: Path, home: Path, sought: Sought, done: Cleaned, *, is_training: bool, is_dry: bool) -> None:
    try:
        encoding = _encoding(path)
        content = _read(path, encoding)
        if path.suffix == ".html":
            content = html.unescape(content)
        is_rows = path.name.endswith(BY_ROW)  # a cell may be an id, which no look at the whole file tells
        if not is_rows and not sought.is_in(content):
            return
        run = _training_run(path, home)
        if run is not None and not is_training:
            if str(run) not in done.removed:
                done.removed.append(str(run))
            if not is_dry:
                shutil.rmtree(run)
        elif path.name == REPORT_FILE:  # `opinion models report` makes it again from the lines that are left
            done.removed.append(str(path))
            if not is_dry:
                path.unlink()
        elif path.name.endswith(BY_LINE):
            lines = content.split("\n")
            _keep(
                path,
                lines,
                [line for line in lines if not sought.is_in(line)],
                "\n".join,
                encoding,
                done,
                is_dry=is_dry,
            )
        elif is_rows:
            csv.field_size_limit(MAX_CELL_CHARS)
            rows = list(csv.reader(io.StringIO(content, newline="")))
            good = [row for row in rows if not any(map(sought.is_in, row))]
            _keep(path, rows, good, _as_csv, encoding, done, is_dry=is_dry)
        else:
            done.left.append(str(path))
    except (OSError, EOFError, UnicodeError, csv.Error) as error:
        done.left.append(f"{path}: {error}")


def _keep(
    path: Path,
    all_of_it: Sequence[Part],
    kept: Sequence[Part],
    joined: Callable[[Sequence[Part]], str],
    encoding: str,
    done: Cleaned,
    *,
    is_dry: bool,
) -> None:
    if len(kept) == len(all_of_it):
        return
    done.lines[str(path)] = len(all_of_it) - len(kept)
    if not is_dry:
        _write(path, joined(kept), encoding)


def _training_run(path: Path, home: Path) -> Path | None:
    """The folder of the retrain run that a file belongs to; left behind when its process was killed."""
    try:
        parts = path.relative_to(home / "retrain").parts
    except ValueError:
        return None
    return home / "retrain" / parts[0] if len(parts) > 1 else None


def _encoding(path: Path) -> str:
    """As the file would be imported."""
    if not path.name.endswith(TABLES):
        return "utf-8"
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        return guess_encoding(file.read(PEEKED_BYTES))


def _read(path: Path, encoding: str) -> str:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding=encoding, errors="surrogateescape", newline="") as file:
        return str(file.read())


def _as_csv(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _write(path: Path, content: str, encoding: str) -> None:
    """In one step, so that nobody reads half a file and a crash leaves the old one."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(draft, "wt", encoding=encoding, errors="surrogateescape", newline="") as file:
            file.write(content)
        shutil.copymode(path, draft)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink()
        raise
