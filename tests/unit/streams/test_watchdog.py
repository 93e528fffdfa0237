"""The watchdog's judgement, with a broker that says what it is told and a clock that is moved by hand."""

from dataclasses import dataclass, field

import pytest
from kafka.errors import KafkaConnectionError
from prometheus_client import REGISTRY

from streams.offsets import Standing
from streams.progress import Progress
from streams.watchdog import Watchdog


@dataclass
class Scene:
    """Two partitions of one worker, each with 100 records to read."""

    committed: dict[int, int | None] = field(default_factory=lambda: {0: 0, 1: 0})
    others: frozenset[int] = frozenset()
    end: int = 100
    now: float = 0.0
    signs: float = 0.0
    waits: str | None = None
    is_away: bool = False
    stalls: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.progress = Progress(lambda: self.signs)
        self.progress.assigned = frozenset(self.committed)
        self.watchdog = Watchdog(
            self,
            self.progress,
            stall_seconds=30,
            waits_for=lambda: self.waits,
            on_stall=self.stalls.append,
            monotonic=lambda: self.now,
        )

    def standings(self):
        if self.is_away:
            raise KafkaConnectionError("no broker")
        return {partition: Standing(0, self.end, committed) for partition, committed in self.committed.items()}

    def taken(self):
        return self.progress.assigned | self.others

    def close(self):
        pass

    def look(self, *, seconds, each_time=lambda: None):
        """Rounds for so many seconds."""
        for _ in range(seconds // 5):
            self.now += 5
            each_time()
            try:
                self.watchdog.look()
            except KafkaConnectionError:
                assert self.is_away

    def commit(self, partition):
        self.committed[partition] = (self.committed[partition] or 0) + 1


@pytest.fixture
def scene():
    return Scene()


def test_lag_without_progress_is_a_stall(scene):
    """A worker that reads nothing while records wait is not ready after half of the time, and then ends."""
    scene.look(seconds=20)
    assert scene.watchdog.reason() == "partition 0: 100 records wait and nothing was committed for 15 s"
    scene.look(seconds=10)
    assert not scene.stalls
    scene.look(seconds=5)
    assert scene.stalls == ["partition 0: 100 records wait and nothing was committed for 30 s"]


def test_one_partition_that_stands_still_while_others_move_is_a_stall(scene):
    """Progress elsewhere does not hide a partition that is never read."""
    scene.look(seconds=40, each_time=lambda: scene.commit(0))
    assert "partition 1" in scene.stalls[0]


def test_a_partition_without_a_commit_counts(scene):
    """A group that never committed on a partition stands at its log's start."""
    scene.committed = {0: None, 1: 100}
    scene.look(seconds=40)
    assert "partition 0: 100 records" in scene.stalls[0]


def test_waiting_for_a_dependency_is_no_stall(scene):
    """A database outage of any length does not end the worker, and afterwards the count begins anew."""
    scene.waits = "store waits for its dependency"
    scene.look(seconds=3600)
    scene.waits = None
    scene.look(seconds=25)
    assert not scene.stalls
    scene.look(seconds=10)
    assert scene.stalls


def test_an_outage_of_the_broker_is_no_stall_and_is_told(scene):
    """Only time in which the broker answered counts; meanwhile the worker is not ready, and says why."""
    scene.look(seconds=10)
    scene.is_away = True
    scene.look(seconds=3600)
    assert scene.watchdog.reason() == "Kafka has not answered for 3600 s"
    scene.is_away = False
    scene.look(seconds=20)
    assert not scene.stalls
    scene.look(seconds=20)
    assert scene.stalls


def test_progress_resets_the_count(scene):
    """A slow worker that still commits is left alone."""
    for _ in range(20):
        scene.look(seconds=25)
        scene.commit(0)
        scene.commit(1)
    assert not scene.stalls


def test_idle_topic_is_no_stall(scene):
    """Nothing to read is not standing still."""
    scene.committed = {0: 100, 1: 100}
    scene.look(seconds=600)
    assert not scene.stalls
    assert scene.watchdog.reason() is None


def test_a_slow_batch_with_signs_of_life_is_no_stall(scene):
    """A batch of very long texts takes minutes; it is left alone as long as the model computes."""
    scene.progress.begin({0, 1})

    def compute():
        scene.signs += 1

    scene.look(seconds=600, each_time=compute)
    assert not scene.stalls
    scene.look(seconds=40)
    assert scene.stalls


def test_batches_without_commits_are_a_stall(scene):
    """Work whose offsets never arrive at the broker is not progress."""

    def batch():
        scene.progress.begin({0, 1})
        scene.signs += 1
        scene.progress.finish()
        scene.progress.begin({0, 1})

    scene.look(seconds=60, each_time=batch)
    assert scene.stalls


def test_signs_of_life_excuse_only_partitions_of_the_batch(scene):
    """A busy worker that never reads one of its partitions is at fault."""
    scene.progress.begin({0})

    def compute():
        scene.signs += 1

    scene.look(seconds=60, each_time=compute)
    assert "partition 1" in scene.stalls[0]


def test_signs_of_life_excuse_every_batch_in_hand(scene):
    """A batch that waits for the one before it stands no stiller than that one."""
    scene.progress.begin({0})
    scene.progress.begin({1})

    def compute():
        scene.signs += 1

    scene.look(seconds=600, each_time=compute)
    assert not scene.stalls
    scene.progress.finish()
    scene.look(seconds=60, each_time=compute)
    assert "partition 0" in scene.stalls[0]


def test_another_worker_s_partition_is_its_own_affair(scene):
    """A healthy worker, or an idle spare, does not end for a stall elsewhere."""
    scene.progress.assigned = frozenset()
    scene.others = frozenset({0, 1})
    scene.look(seconds=600)
    assert not scene.stalls
    assert scene.watchdog.reason() is None


def test_a_partition_that_nobody_has_is_everybody_s_affair(scene):
    """A group that lost a partition heals: whoever sees it ends, and the group is put together again."""
    scene.progress.assigned = frozenset({0})
    scene.look(seconds=40, each_time=lambda: scene.commit(0))
    assert scene.stalls[0].startswith("partition 1: ")
    assert scene.stalls[0].endswith(", and no worker has it")


def test_a_new_holder_starts_anew(scene):
    """Who takes over a partition that stood still has all of the time to move it."""
    scene.progress.assigned = frozenset({0})
    scene.others = frozenset({1})
    scene.look(seconds=25, each_time=lambda: scene.commit(0))
    scene.progress.assigned = frozenset({0, 1})
    scene.look(seconds=25, each_time=lambda: scene.commit(0))
    assert not scene.stalls


def test_a_stopped_process_does_not_count_its_sleep(scene):
    """After SIGSTOP and SIGCONT the worker gets time to move before it is judged."""
    scene.look(seconds=5)
    scene.now += 3600
    scene.look(seconds=5)
    assert not scene.stalls


def test_lag_and_standstill_are_exported(scene):
    """The gauges tell the topic's lag, that of each own partition, and the longest standstill of these."""
    scene.progress.assigned = frozenset({70})
    scene.others = frozenset({71})
    scene.committed = {70: 40, 71: 90}
    scene.look(seconds=15)
    read = REGISTRY.get_sample_value
    assert read("opinion_streams_lag_records") == 70
    assert read("opinion_streams_partition_lag_records", {"partition": "70"}) == 60
    assert read("opinion_streams_partition_lag_records", {"partition": "71"}) is None
    assert read("opinion_streams_standstill_seconds") == 10
