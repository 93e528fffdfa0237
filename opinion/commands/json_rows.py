"""Rows as `--json` prints them."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def row_as_json(row: "DataclassInstance") -> dict[str, Any]:
    """The fields of a row by name, times in ISO 8601, also in what it holds."""
    return {name: _plain(value) for name, value in asdict(row).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value
