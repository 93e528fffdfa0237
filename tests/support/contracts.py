"""What readers and writers of the topics rely on: `python -m tests.support.contracts` takes in new optional fields.

`tests/golden/schemas.json` holds the schemas of all records as they were promised. It only ever grows; what would
break somebody is refused here too.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.records import schemas

GOLDEN = Path(__file__).parents[1] / "golden"
PROMISED = GOLDEN / "schemas.json"
Schemas = Mapping[str, Mapping[str, Any]]


def promised() -> dict[str, Any]:
    """The schemas that others rely on."""
    found: dict[str, Any] = json.loads(PROMISED.read_text(encoding="utf-8"))
    return found


def breaks(old: Schemas, new: Schemas) -> Iterator[str]:
    """What of these changes breaks a reader or a writer of the same topic, and what to do instead."""
    for name, record in old.items():
        if name not in new:
            yield f"{name} is gone. Put it back; a topic's record can only be replaced by a new topic, `.v2`."
            continue
        fields, now = record["properties"], new[name]["properties"]
        for field in fields.keys() - now.keys():
            yield (
                f"{name}.{field} was removed or renamed. Readers of today's topic rely on it: put it back (a new "
                f"name may stand beside it), or declare a new topic, `.v2`, in streams/topics.py and write both for "
                f"a while."
            )
        for field in sorted(set(new[name].get("required", ())) - set(record.get("required", ()))):
            yield (
                f"{name}.{field} is required now. Messages that lie on the topic do not have it, and programs that "
                f"write it do not know it: give it a default."
            )
        for field in sorted(set(record.get("required", ())) - set(new[name].get("required", ())) & now.keys()):
            yield (
                f"{name}.{field} is no longer required. Readers rely on its being there: keep it required, or "
                f"declare a new topic, `.v2`."
            )
        for field in fields.keys() & now.keys():
            if _shape(fields[field]) != _shape(now[field]):
                yield (
                    f"{name}.{field} changed from {json.dumps(_shape(fields[field]), ensure_ascii=False)} to "
                    f"{json.dumps(_shape(now[field]), ensure_ascii=False)}. Put it back and add a field beside it, "
                    f"or declare a new topic, `.v2`."
                )


def additions(old: Schemas, new: Schemas) -> list[str]:
    """Fields and records that nobody relies on yet."""
    return [
        f"{name}.{field}"
        for name, record in new.items()
        for field in record["properties"]
        if field not in old.get(name, {"properties": {}})["properties"]
    ]


def _shape(schema: Any) -> Any:
    """A field's schema without what a reader does not meet: descriptions, defaults."""
    if isinstance(schema, Mapping):
        return {key: _shape(value) for key, value in schema.items() if key not in ("description", "default", "title")}
    if isinstance(schema, list):
        return [_shape(one) for one in schema]
    return schema


def main() -> None:
    """Take in what is new."""
    now = schemas()
    if PROMISED.exists() and (found := list(breaks(promised(), now))):
        sys.exit("\n".join(found))
    PROMISED.write_text(json.dumps(now, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
