"""Ways in which a Faust agent stands still for ever, alive and without a word; our worker goes on or is replaced.

As in test_faust_defects.py, the naive agent and ours meet the same records and the same faults.
"""

import pytest

from streams import topics
from tests.support.contests import NAIVE, OURS, Contest, stands_still
from tests.support.stages import documents
from tests.support.waiting import wait_for

SILENCE_SECONDS = 6.0  # more than two of Faust's commit intervals (2.8 s)

POLL_INTERVAL = {
    "BROKER_MAX_POLL_INTERVAL": "4",  # seconds; 1000 by default
    "STREAM_BUFFER_MAXSIZE": "16",  # so that a small backlog fills the buffer
}


@pytest.fixture
def contest(kafka_bootstrap, database_url, topic_prefix, tmp_path):
    contest = Contest(kafka_bootstrap, database_url, topic_prefix, tmp_path, partitions=1)
    yield contest
    contest.close()


def test_malformed_record_does_not_end_the_agent(contest):
    """One value that is not JSON ends the naive agent for good, while its process lives; ours dead-letters it."""
    naive, ours = contest.start(NAIVE), contest.start(OURS)
    contest.produce(documents(0, 10))
    contest.wait_until_settled(10)
    contest.wait_until_naive_stored(10)
    contest.produce([(b"bad", b"{broken"), *documents(10, 50)])
    contest.wait_until_settled(51)
    contest.wait_until_committed()
    assert contest.ids() == {f"d{n}": 1 for n in range(50)}
    assert [letter.value for letter in contest.read(topics.RAW_DLQ)] == [b"{broken"]
    assert stands_still(contest.naive_ids, SILENCE_SECONDS)
    assert contest.lost_by_naive(0, 50) == [f"d{n}" for n in range(10, 50)]
    assert contest.lag(contest.naive_group) > 0
    assert naive.is_alive
    assert ours.is_alive


def test_long_wait_ends_neither_the_worker_nor_its_spare(contest):
    """A batch that takes longer than the poll interval, and a spare worker without work: both naive agents leave the
    group for good. Ours stay, whatever the environment says, and the spare takes over from a killed one."""
    naive = [contest.start(NAIVE, faust=POLL_INTERVAL) for _ in range(2)]
    ours = [contest.start(OURS, faust=POLL_INTERVAL) for _ in range(2)]
    contest.produce(documents(0, 10))
    contest.wait_until_settled(10)
    contest.wait_until_naive_stored(10)
    contest.wait_until_members(contest.group, 2)
    for worker in (*naive, *ours):
        worker.faults.hold("classify")
    contest.produce(documents(10, 400))
    contest.wait_until_members(contest.naive_group, 0)
    assert contest.members(contest.group) == 2
    for worker in naive:
        worker.faults.release("classify")
    holder = wait_for(lambda: next((w for w in ours if w.faults.is_reached("classify")), None), 60, "ours in a batch")
    holder.kill()
    for worker in ours:
        worker.faults.release("classify")
    contest.wait_until_settled(400)
    assert contest.ids() == {f"d{n}": 1 for n in range(400)}
    assert contest.audit().is_clean
    assert stands_still(contest.naive_ids, SILENCE_SECONDS)
    assert contest.members(contest.naive_group) == 0
    assert contest.lag(contest.naive_group) > 0
    assert all(worker.is_alive for worker in naive)
