"""The cluster of the chaos tests behaves as the Kafka of a deployment with three nodes does."""

import signal
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from tests.support.kafka_cluster import KafkaCluster
from tests.support.servers import JARS
from tests.support.waiting import wait_for

TOPIC = "kept"
RECORDS = 300  # before the kill, while one node is dead, and after its return: 100 each


def create_topic(bootstrap: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics({TOPIC: {"num_partitions": 3, "replication_factor": 3}}, wait_for_metadata=True)
    finally:
        admin.close()


def partitions(bootstrap: str) -> list[dict[str, list[int] | int]]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return list(admin.describe_topics([TOPIC])[0]["partitions"])
    finally:
        admin.close()


def send(bootstrap: str, numbers: range) -> None:
    """Send numbers as records; returns when every one is acknowledged."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    try:
        for sending in [producer.send(TOPIC, str(number).encode()) for number in numbers]:
            sending.get(timeout=30)
    finally:
        producer.close()


def received(bootstrap: str) -> list[int]:
    """Every number in the topic, sorted."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        every = [TopicPartition(TOPIC, number) for number in range(3)]
        consumer.assign(every)
        ends = consumer.end_offsets(every)
        numbers: list[int] = []
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for records in consumer.poll(timeout_ms=500).values():
                numbers += [int(record.value) for record in records]
        return sorted(numbers)
    finally:
        consumer.close()


def test_acknowledged_records_survive_kill_9_of_a_node_and_its_return(tmp_path: Path) -> None:
    """With three replicas, two of them in sync, the loss of one node loses nothing and stops nobody."""
    with KafkaCluster(tmp_path, jars=JARS) as cluster:
        create_topic(cluster.bootstrap)
        send(cluster.bootstrap, range(100))
        victim = int(partitions(cluster.bootstrap)[0]["leader_id"])  # type: ignore[arg-type]
        cluster.signal(victim, signal.SIGKILL)
        cluster.wait_dead(victim)
        assert sorted([victim, *cluster.pids]) == [1, 2, 3]
        send(cluster.bootstrap, range(100, 200))
        cluster.start_node(victim)
        send(cluster.bootstrap, range(200, RECORDS))
        assert received(cluster.bootstrap) == list(range(RECORDS))
        wait_for(
            lambda: all(len(one["isr_nodes"]) == 3 for one in partitions(cluster.bootstrap)),  # type: ignore[arg-type]
            30,
            "every replica in sync again",
        )
    assert not cluster.pids
