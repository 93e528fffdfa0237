"""A real Apache Kafka of one or three nodes whose nodes tests may kill, freeze and start again, each by itself."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from core import children
from streams import kafka_jars, local
from streams.kafka_node import READY_SECONDS, KafkaNode, Member, new_cluster_id
from tests.support.waiting import wait_for

STOP_SECONDS = 20.0
STARTED = "Kafka Server started"  # logged once the node has joined its cluster and serves clients


class KafkaCluster:
    """KRaft nodes 1 … n on 127.0.0.1, each broker and controller; their data and ports survive every restart.

    Topics get as many replicas as there are nodes, three at most; with three, `min.insync.replicas` is 2, so that
    what was acknowledged to `acks=all` survives the loss of any one node. Everything blocks. A node ends when
    the thread that started it ends (see `core.children.spawn`), so start nodes from a thread that lasts.
    """

    def __init__(self, home: Path, *, jars: Path, nodes: int = 3, heap_megabytes: int = 256) -> None:
        """Args:
        home: gets a folder `node-<id>` for each node and their logs, `kafka-<id>.log` (`kafka-<id>.<n>.log`
            of earlier starts).
        jars: the cache of `streams.kafka_jars`.
        """
        self._jars = jars
        self._cluster_id = new_cluster_id()
        self._members = _members(nodes)
        self._nodes = {
            member.node_id: KafkaNode(
                home.resolve() / f"node-{member.node_id}",
                log_path=home.resolve() / f"kafka-{member.node_id}.log",
                heap_megabytes=heap_megabytes,
            )
            for member in self._members
        }
        self._launches = 0
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.bootstrap = ",".join(member.address for member in self._members)

    @property
    def pids(self) -> dict[int, int]:
        """Node id → process id of the nodes that live, frozen ones included."""
        return {node: process.pid for node, process in self._processes.items() if process.poll() is None}

    def start(self) -> str:
        """Start every node that does not live; returns the bootstrap addresses once all of them answer."""
        self.launch(*(member.node_id for member in self._members))
        for member in self._members:
            self.wait_ready(member.node_id)
        # A new cluster makes its offsets topic when it is first asked for one, which else fails the first reader.
        wait_for(lambda: local.is_answering(self.bootstrap, group="test-probe"), 60, "the group coordinator")
        return self.bootstrap

    def start_node(self, node: int) -> None:
        """Start one node with the data and port it had; returns when it answers, which takes a majority of nodes."""
        self.launch(node)
        self.wait_ready(node)

    def launch(self, *nodes: int) -> None:
        """Start nodes that do not live, without waiting: several at once, where one alone has no majority."""
        jars = kafka_jars.fetch(self._jars)
        for node in nodes:
            if node not in self.pids:
                one = self._nodes[node]
                one.configure(node, self._members)
                one.format(jars, self._cluster_id)
                if one.log_path.exists():
                    self._launches += 1
                    one.log_path.rename(one.log_path.with_suffix(f".{self._launches}.log"))
                self._processes[node] = one.launch(jars)

    def wait_ready(self, node: int) -> None:
        """Wait until the node answers and has joined its cluster.

        Raises:
            AssertionError: it ended or did not answer in time; the message holds the end of its log.
        """
        one = self._nodes[node]
        # Asked of its log: a port that is open is not yet a node that serves.
        ready = children.wait_until(
            lambda: node not in self.pids or (one.log_path.exists() and STARTED in one.log_path.read_text("utf-8")),
            seconds=READY_SECONDS,
            every=0.1,
        )
        if not ready or node not in self.pids:
            log = children.tail(one.log_path) + "\n" + children.tail(one.start_log_path, 4)
            raise AssertionError(f"Kafka node {node} does not answer; the end of its log:\n{log}")

    def signal(self, node: int, number: signal.Signals) -> None:
        """Send a signal to a living node, by its process id."""
        os.kill(self.pids[node], number)

    def wait_dead(self, node: int, timeout: float = STOP_SECONDS) -> None:
        """Wait until a node that was told to end has ended."""
        wait_for(lambda: node not in self.pids, timeout, f"the end of Kafka node {node}")

    def stop(self) -> None:
        """End every node: asked all at once, killed when they have not ended after 20 s."""
        living = [process for process in self._processes.values() if process.poll() is None]
        for process in living:
            process.send_signal(signal.SIGCONT)  # one that is frozen would not hear the other signal
            process.send_signal(signal.SIGTERM)
        # The last controllers have no majority left to say goodbye to; nothing is gained by waiting for them.
        grace_seconds = STOP_SECONDS if len(self._members) == 1 else 5.0
        for process in living:
            children.stop(process, grace_seconds=grace_seconds)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.stop()


def _members(count: int) -> Sequence[Member]:
    """Members with ports of their own."""
    ports: set[int] = set()
    while len(ports) < 2 * count:
        ports.add(children.free_port())
    chosen = list(ports)
    return [Member(number + 1, chosen[2 * number], chosen[2 * number + 1]) for number in range(count)]
