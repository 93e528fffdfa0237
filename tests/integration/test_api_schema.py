"""The API does what its OpenAPI document says: schemathesis makes requests from it, real servers answer."""

from collections.abc import Callable, Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from core.clock import SystemClock
from storage import api_tokens
from storage.engine import connect
from streams.sources.push import BrokerSink
from tests.support.consoles import serving
from tests.support.records import LIMITS
from web.app import create_app

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    ignored_auth,
    unsupported_method,
]
EXAMPLES = 25  # of each operation
ENDLESS = "/api/v1/stream"  # its answers have no end; tests/integration/test_stream.py asks it good and bad things


@pytest.fixture
def api(
    database_url: str, kafka_bootstrap: str, new_topic: Callable[..., str]
) -> Iterator[tuple[schemathesis.BaseSchema, str]]:
    """The schema of a console that runs, and a token for it."""
    engine = connect(database_url)
    with engine.begin() as connection:
        _, token = api_tokens.create(connection, "schemathesis", api_tokens.SCOPES)
    topic = new_topic("raw")
    sink = BrokerSink(lambda: kafka_bootstrap, topic, LIMITS, SystemClock(), answer_seconds=10)
    with serving(create_app(engine, sink=sink)) as url:
        yield schemathesis.openapi.from_url(f"{url}/api/openapi.json"), token
    engine.dispose()


@pytest.mark.timeout(600)
def test_every_operation_answers_as_documented(api: tuple[schemathesis.BaseSchema, str]) -> None:
    """Valid and invalid requests to every address: never a 5xx, and every answer is one that the document has."""
    schema, token = api
    every = [result.ok() for result in schema.get_all_operations()]
    operations = [one for one in every if not one.path.startswith(ENDLESS)]
    assert "/api/v1/documents" in {one.path for one in operations}
    for operation in operations:
        modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

        @given(case=st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]))
        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
        def answers(case: Case) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

        answers()
