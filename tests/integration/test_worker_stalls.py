"""A worker that hangs ends itself, so that its supervisor can start it again; nothing is lost by it."""

import pytest

from streams.retry import EXIT_REDO
from tests.support.stages import Stage, documents
from tests.support.waiting import wait_for


@pytest.fixture
def stage(kafka_bootstrap, database_url, topic_prefix, tmp_path):
    stage = Stage(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield stage
    stage.close()


def test_a_hanging_worker_ends_itself_and_its_successor_finishes(stage):
    """Blocked in its event loop or in its model, a worker says so, leaves with 70, and nothing is lost."""
    stage.produce(documents(0, 200))
    for place in ("loop", "model"):
        stage.hang.write_text(f"{place} 3600")
        worker = stage.start_worker(can_hang=True, OPINION_WORKER__STALL_SECONDS="8")
        said = wait_for(lambda worker=worker: worker.reasons().get("progress"), 60, "the stall is told")
        assert "records wait and nothing was committed for 5 s" in said
        assert stage.taken() == {0, 1, 2, 3}
        assert worker.process.wait(30) == EXIT_REDO
    stage.hang.unlink()
    stage.start_worker(can_hang=True)
    stage.wait_until_settled(200)
    stage.wait_until_committed()
    assert stage.ids() == {f"d{n}": 1 for n in range(200)}
    assert stage.audit().is_clean
