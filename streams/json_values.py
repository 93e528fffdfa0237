"""Bytes that other programs wrote to a value of a known shape, or the reason why not."""

import json
from typing import TypeVar

import msgspec

from core.errors import RecordRejected

Shape = TypeVar("Shape")


def parse_json(value: bytes, shape: type[Shape]) -> Shape:
    """One JSON value.

    `NaN` and `Infinity`, which many Python programs write where a value is missing, are read as null.

    Raises:
        RecordRejected: it is not UTF-8, not JSON, or not of this shape.
    """
    try:
        return msgspec.json.decode(value, type=shape)
    except msgspec.ValidationError as error:
        raise RecordRejected("bad_record", str(error)) from error
    except RecursionError as error:  # msgspec follows nesting also where it skips a field that nobody reads
        raise RecordRejected("bad_json", "nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as strict:
        try:
            return msgspec.convert(json.loads(value, parse_constant=lambda _: None), shape)
        except msgspec.ValidationError as error:
            raise RecordRejected("bad_record", str(error)) from error
        except UnicodeDecodeError as error:
            raise RecordRejected("bad_encoding", f"not UTF-8: {error.reason} at byte {error.start}") from error
        except (ValueError, RecursionError) as error:
            raise RecordRejected("bad_json", str(strict)) from error
