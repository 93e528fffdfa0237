"""Ways in which a Faust agent loses or doubles records: each happens to the naive agent, and none to our worker.

The stage is set to the record (`tests.support.faulty_app`), so that the naive agent fails for certain. What makes it
fail is told in docs/why/delivery.md; ways in which it stands still are in test_faust_stalls.py.
"""

import json
from collections import Counter

import pytest

from streams import topics
from streams.retry import EXIT_REDO
from tests.support.contests import NAIVE, NAIVE_ONE_BY_ONE, OURS, Contest
from tests.support.stages import documents
from tests.support.waiting import wait_for


@pytest.fixture
def contest(kafka_bootstrap, database_url, topic_prefix, tmp_path):
    contest = Contest(kafka_bootstrap, database_url, topic_prefix, tmp_path)
    yield contest
    contest.close()


@pytest.fixture
def one_partition(kafka_bootstrap, database_url, topic_prefix, tmp_path):
    contest = Contest(kafka_bootstrap, database_url, topic_prefix, tmp_path, partitions=1)
    yield contest
    contest.close()


def once(first, last):
    return {f"d{n}": 1 for n in range(first, last)}


def test_batch_whose_body_raises_is_not_acknowledged(contest):
    """PostgreSQL refuses a value, then every connection: the naive agent acknowledges what it could not store."""
    naive, ours = contest.start(NAIVE), contest.start(OURS)
    contest.produce([(b"nul", json.dumps({"id": "nul", "text": "x", "source": "a\0b"}).encode())])
    contest.wait_until_settled(1)
    contest.wait_until_naive_caught_up()
    assert contest.naive_ids() == {}
    assert contest.ids() == {"nul": 1}
    naive.faults.hold("classify")
    ours.faults.hold("classify")
    contest.produce(documents(0, 60))
    naive.faults.wait_until_reached("classify")
    ours.faults.wait_until_reached("classify")
    with contest.database_away():
        naive.faults.release("classify")
        ours.faults.release("classify")
        contest.wait_until_naive_caught_up()
        wait_for(lambda: 'retries_total{step="store"} 0.0' not in ours.metrics(), 30, "ours waits for the database")
    contest.wait_until_settled(61)
    assert contest.lost_by_naive(0, 60) == [f"d{n}" for n in range(60)]
    assert contest.ids() == once(0, 60) | {"nul": 1}
    assert contest.audit().is_clean


def start_beside_idle_members(contest, *starts):
    """Workers that have two of the four partitions, while the others are with a neighbour that never commits."""
    workers, neighbours = [], []
    for app, *switched_on in starts:
        group = contest.group_of(app)
        workers.append(contest.start(app, *switched_on))
        neighbours.append(contest.start_idle_member(group))
    for app, *_ in starts:
        contest.wait_until_members(contest.group_of(app), 2)
    contest.produce(documents(0, 100))
    for app, *_ in starts:
        wait_for(lambda group=contest.group_of(app): len(contest.fresh_partitions(group)) == 2, 120, f"{app} is done")
    return workers, neighbours


def hand_over(workers, neighbours):
    """The neighbours leave, and their partitions come to the workers in the middle of a fetch, which brings records
    while the rebalance goes on."""
    for worker, neighbour in zip(workers, neighbours, strict=True):
        worker.faults.hold("rebalance")
        worker.faults.wait_until_reached("rebalance")
        neighbour.process.terminate()
    for worker in workers:
        wait_for(lambda worker=worker: not worker.faults.is_on("rebalance"), 60, "records were fetched in between")


def test_records_fetched_in_a_groups_first_rebalance_are_read(contest):
    """Partitions never committed come to a running worker: the naive agent never reads what it had just fetched."""
    hand_over(*start_beside_idle_members(contest, (NAIVE,), (OURS,)))
    contest.produce(documents(100, 200))
    contest.wait_until_settled(200)
    contest.wait_until_naive_caught_up()
    assert contest.lost_by_naive(0, 100)
    assert not contest.lost_by_naive(100, 200)
    assert contest.ids() == once(0, 200)
    assert contest.audit().is_clean


def test_hole_guard_alone_saves_the_records_of_a_first_rebalance(contest):
    """Without the cure of `streams.first_run` the worker sees the hole, leaves unacknowledged, and is restarted."""
    [ours], neighbours = start_beside_idle_members(contest, (OURS, "unhealed"))
    hand_over([ours], neighbours)
    contest.produce(documents(100, 200))
    assert ours.process.wait(60) == EXIT_REDO
    contest.start(OURS, "unhealed")
    contest.wait_until_settled(200)
    assert contest.ids() == once(0, 200)
    assert contest.audit().is_clean


def test_record_in_work_is_not_skipped_by_a_malformed_one_after_it(one_partition):
    """The malformed record behind the one in work is acknowledged first: with kill -9 the naive agent loses both."""
    contest = one_partition
    naive, ours = contest.start(NAIVE_ONE_BY_ONE), contest.start(OURS)
    contest.produce(documents(0, 10))
    contest.wait_until_settled(10)
    contest.wait_until_naive_caught_up()
    contest.wait_until_committed()
    naive.faults.hold("classify")
    ours.faults.hold("classify")
    contest.produce([*documents(10, 11), (b"bad", b"{broken")])
    naive.faults.wait_until_reached("classify")
    ours.faults.wait_until_reached("classify")
    contest.wait_until_naive_caught_up()
    naive.kill()
    ours.kill()
    assert contest.committed(contest.naive_group) == {0: 12}
    assert contest.lost_by_naive(0, 11) == ["d10"]
    assert contest.committed(contest.group) == {0: 10}
    contest.start(OURS)
    contest.wait_until_settled(12)
    assert contest.ids() == once(0, 11)
    assert contest.audit().is_clean


def test_sigterm_in_the_middle_of_a_batch_loses_nothing(contest):
    """Where the environment says STREAM_WAIT_EMPTY=false, the naive agent acknowledges the batch that it abandons."""
    naive, ours = (contest.start(app, faust={"STREAM_WAIT_EMPTY": "false"}) for app in (NAIVE, OURS))
    contest.produce(documents(0, 10))
    contest.wait_until_settled(10)
    contest.wait_until_naive_stored(10)
    for worker in (naive, ours):
        worker.faults.hold("classify")
    contest.produce(documents(10, 50))
    for worker in (naive, ours):
        worker.faults.wait_until_reached("classify")
        worker.process.terminate()
    contest.wait_until_naive_caught_up()
    naive.kill()
    ours.faults.release("classify")
    assert ours.stop() == 0
    assert len(contest.lost_by_naive(10, 50)) == 40
    assert len(contest.ids()) > 10
    assert len(contest.ids()) + contest.lag(contest.group) == 50
    assert contest.audit().is_clean


def test_killed_after_its_commit_a_worker_doubles_nothing(contest):
    """Between the commit in SQL and the acknowledgement comes kill -9: the naive agent's successor adds every row
    again; ours finds them stored."""
    naive, ours = contest.start(NAIVE), contest.start(OURS)
    contest.produce(documents(0, 10))
    contest.wait_until_settled(10)
    contest.wait_until_naive_caught_up()
    for worker in (naive, ours):
        worker.faults.hold("stored")
    contest.produce(documents(10, 50))
    for worker in (naive, ours):
        worker.faults.wait_until_reached("stored")
        worker.kill()
    stored = contest.naive_ids()
    contest.start(NAIVE)
    contest.start(OURS)
    contest.wait_until_settled(50)
    contest.wait_until_naive_caught_up()
    doubled = {key for key, times in contest.naive_ids().items() if times == 2}
    assert doubled == stored.keys() - once(0, 10).keys()
    assert doubled
    assert contest.ids() == once(0, 50)
    assert contest.repeats() > 0
    assert contest.audit().is_clean


def test_answer_of_the_broker_that_is_lost_doubles_no_event(contest):
    """The broker has the events, its answer is lost, and they are sent again: the naive agent's are there twice."""
    naive, ours = contest.start(NAIVE), contest.start(OURS)
    contest.produce(documents(0, 10))
    contest.wait_until_settled(10)
    contest.wait_until_naive_caught_up()
    for worker in (naive, ours):
        worker.faults.hold("answer")
    contest.produce(documents(10, 50))
    contest.wait_until_settled(50)
    contest.wait_until_committed()
    contest.wait_until_naive_caught_up()
    for worker in (naive, ours):
        worker.faults.wait_until_reached("answer")
    records = contest.read(topics.CLASSIFIED)
    of_ours = Counter(record.key for record in records if record.headers)
    of_naive = Counter(record.key for record in records if not record.headers)
    assert list(of_ours.values()) == [1] * 50
    assert max(of_naive.values()) == 2
