"""Rows as `--json` prints them."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def row_as_json(row: "DataclassInstance") -> dict[str, Any]:
    """The fields of a row by name, times in ISO 8601."""
    return {name: v.isoformat() if isinstance(v, datetime) else v for name, v in asdict(row).items()}
