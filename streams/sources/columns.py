"""How the rows of a foreign table become documents: which column is which field, and what holds for all rows."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final, Self

import msgspec

from core.errors import RecordRejected, UsageError
from core.records import Metrics
from streams.intake import RawDocument

COUNTS: Final = Metrics.__struct_fields__
TIMES: Final = ("published_at", "created_at", "crawled_at")
FIELDS: Final = (*(name for name in RawDocument.__struct_fields__ if name != "metrics"), *COUNTS)
_EPOCH: Final = re.compile(r"\d{9,10}(\.\d+)?")  # seconds, as tables write them: as text


@dataclass(frozen=True)
class Columns:
    """Attributes:
    renamed: by field, the column it is read from; other fields are read from columns of their own name.
    constants: by field, what every document has, whatever its row says.
    time_format: of the times, as `strptime` takes it; empty: ISO 8601 or seconds since the epoch.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    time_format: str = ""

    @classmethod
    def parse(cls, pairs: Iterable[str], constants: Mapping[str, str | None], time_format: str = "") -> Self:
        """From `FIELD=COLUMN` texts.

        Raises:
            UsageError: a text is not of this form, or names no field, or one twice.
        """
        renamed: dict[str, str] = {}
        for pair in pairs:
            name, separator, column = pair.partition("=")
            if not separator or not column:
                raise UsageError(f"not FIELD=COLUMN: {pair!r}", remedy="for example --map text=content")
            if name not in FIELDS:
                raise UsageError(f"documents have no field {name!r}", remedy=f"there are: {', '.join(FIELDS)}")
            if name in renamed or constants.get(name) is not None:
                raise UsageError(f"{name} is given twice")
            renamed[name] = column
        return cls(renamed, {name: value for name, value in constants.items() if value is not None}, time_format)

    @property
    def is_plain(self) -> bool:
        """Whether rows are documents already."""
        return not (self.renamed or self.constants or self.time_format)

    def check(self, present: Iterable[str]) -> None:
        """Whether a table with these columns can be read.

        Raises:
            UsageError: a column that was named is not there, or there is none for the text.
        """
        there = list(present)
        shown = ", ".join(repr(name)[1:-1] for name in there[:40]) or "none"
        for name, column in self.renamed.items():
            if column not in there:
                raise UsageError(
                    f"--map {name}={column}: there is no column {column!r}", remedy=f"there are: {shown}"
                )
        if not any(self._column(name) in there for name in ("text", "title")):
            raise UsageError("there is no column for the text", remedy=f"--map text=COLUMN; there are: {shown}")

    def needed(self, present: Iterable[str]) -> list[str]:
        """Those columns of a table that are read."""
        wanted = {self._column(name) for name in (*FIELDS, "metrics")}
        return [name for name in present if name in wanted]

    def row_of(self, cells: Mapping[str, Any]) -> RawDocument:
        """A row as a raw document.

        Raises:
            RecordRejected: a cell is of a kind that its field cannot take.
        """
        fields = {name: self._value(name, cells.get(self._column(name))) for name in FIELDS}
        fields |= self.constants
        counts = {name: count for name in COUNTS if (count := fields.pop(name)) is not None}
        nested = cells.get("metrics")
        if isinstance(nested, Mapping):
            counts = {**nested, **counts}
        try:
            return msgspec.convert({**fields, "metrics": counts}, RawDocument)
        except msgspec.ValidationError as error:
            raise RecordRejected("bad_record", str(error)) from error

    def _column(self, name: str) -> str:
        return self.renamed.get(name, name)

    def _value(self, name: str, cell: Any) -> Any:
        if cell is None or cell == "" or (isinstance(cell, float) and not isfinite(cell)):
            return None
        if name in COUNTS:
            return _count(name, cell)
        if name in TIMES:
            return self._time(name, cell)
        if isinstance(cell, int | float) and not isinstance(cell, bool):  # ids and authors are numbers in many tables
            return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
        if isinstance(cell, bytes):
            return cell.decode("utf-8", "replace")
        return str(cell) if isinstance(cell, Decimal) else cell

    def _time(self, name: str, cell: Any) -> Any:
        if isinstance(cell, datetime | date):
            return cell.isoformat()
        if not isinstance(cell, str):
            return cell
        if self.time_format:
            try:
                return datetime.strptime(cell.strip(), self.time_format).isoformat()  # noqa: DTZ007  # zoned later
            except ValueError as error:
                raise RecordRejected("bad_record", f"{name}: {error}") from error
        return float(cell) if _EPOCH.fullmatch(cell.strip()) else cell


def _count(name: str, cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    try:
        return int(cell)
    except ValueError:
        raise RecordRejected("bad_record", f"metrics.{name}: {cell!r:.40} is not a count") from None
