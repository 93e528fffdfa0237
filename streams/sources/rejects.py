"""The file that bad lines go to, with line number and reason; made when there is a first one."""

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from streams.sources.files import BadLine


class Rejects:
    """Use as a context manager.

    Attributes:
        count: bad lines so far.
    """

    def __init__(self, path: Path) -> None:
        """Opens nothing; a file of an earlier time is replaced when there is something to write."""
        self.path = path
        self.count = 0
        self._out: IO[str] | None = None

    def add(self, file: str, bad: BadLine) -> None:
        if self._out is None:
            self._out = self.path.open("w", encoding="utf-8", errors="backslashreplace")
        self._out.write(json.dumps({"file": file, **asdict(bad)}, ensure_ascii=False) + "\n")
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.close()
