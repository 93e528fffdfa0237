"""The search benchmark, small."""

from pathlib import Path

import pytest

from benchmarks.search import run
from storage.engine import connect

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.needs_shared
def test_the_benchmark_measures_every_kind_of_query(database_url: str) -> None:
    """On 20,000 documents all kinds of queries run, each with hits to page through, and none is slow."""
    engine = connect(database_url)
    try:
        figures = run(engine, count=20_000, queries=2, seed=7, shared=SHARED)
    finally:
        engine.dispose()
    assert figures["index"]["indexes"] >= 3
    assert all(kind["queries"] >= 2 for kind in figures["search"].values())
    slowest = {name: kind["p50_ms"] for name, kind in figures["search"].items() if kind["p50_ms"] > 1_000}
    assert slowest == {}, "even beside other tests a page of 20,000 documents takes some milliseconds"
