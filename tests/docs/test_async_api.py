"""The AsyncAPI document is current, valid, and names every topic.

`tests/support/asyncapi-3.0.0.json.gz` is the schema of AsyncAPI 3.0.0, unchanged: npm package @asyncapi/specs 6.11.1,
schemas/3.0.0-without-$id.json, Apache-2.0, Copyright the AsyncAPI Initiative.
"""

import gzip
import json
from pathlib import Path

import jsonschema
import pytest

from opinion import async_api, docs
from streams import topics

SPECIFICATION = Path(__file__).parents[1] / "support" / "asyncapi-3.0.0.json.gz"


@pytest.mark.parametrize("name", async_api.pages())
def test_file_is_current(name: str) -> None:
    """A file made from the code is what `make docs` would write now."""
    assert (docs.REFERENCE / name).read_text(encoding="utf-8") == async_api.pages()[name], "run `make docs`"


def test_document_is_valid_asyncapi() -> None:
    """The specification's own schema accepts it, and every reference leads somewhere."""
    document = async_api.document()
    specification = json.loads(gzip.decompress(SPECIFICATION.read_bytes()))
    jsonschema.Draft7Validator(specification).validate(document)
    assert {channel["address"] for channel in document["channels"].values()} > {one.name for one in topics.MANIFEST}
    for reference in _references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    broken = async_api.document()
    broken["channels"]["alertV1"]["address"] = 7
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(specification).validate(broken)


def test_records_have_schemas_of_their_own() -> None:
    """Each is a valid JSON Schema that needs nothing beside it, and no file is left over."""
    written = {path.name for path in (docs.REFERENCE / async_api.SCHEMAS).iterdir()}
    assert written == {Path(name).name for name in async_api.pages() if name != async_api.FILE}
    for name in written:
        schema = json.loads((docs.REFERENCE / async_api.SCHEMAS / name).read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        for reference in _references(schema):
            assert reference.removeprefix("#/$defs/") in schema["$defs"]


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for inner in value.values() for one in _references(inner)]
    if isinstance(value, list):
        return [one for inner in value for one in _references(inner)]
    return []
