"""The embedded broker: the same Apache Kafka as in production, one KRaft node as a child process.

Layout under `home`: `kafka/data` (the log), `kafka/instance.json` (cluster id and ports, kept across restarts),
`run/kafka.json` (the running one), `logs/kafka.log`.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from filelock import FileLock
from kafka.errors import KafkaError

from core import children, disk
from streams import kafka_jars
from streams.kafka_admin import admin_client
from streams.kafka_node import READY_SECONDS, KafkaNode, Member, new_cluster_id

HEAP_MEGABYTES = 512
STOP_SECONDS = 20.0
RECOVERY_SECONDS = 1800.0  # so long a start may take while the broker's log tells of progress


class _Instance(msgspec.Struct, frozen=True):
    cluster_id: str
    port: int
    controller_port: int


class _Running(msgspec.Struct, frozen=True):
    bootstrap: str
    server: children.Identity
    owner: children.Identity


def is_answering(bootstrap: str, timeout_seconds: float = 3.0, *, group: str | None = None) -> bool:
    """Whether a broker there answers and is part of its cluster. Blocks for at most about the timeout.

    Args:
        group: if given, also whether this consumer group has a coordinator; asking for one makes a new cluster
            create its offsets topic, which else fails the first reader.
    """
    if not any(_listens(address, timeout_seconds) for address in bootstrap.split(",")):
        return False
    milliseconds = int(timeout_seconds * 1000)
    patience = {"bootstrap_timeout_ms": milliseconds, "request_timeout_ms": milliseconds}
    try:
        with admin_client(bootstrap, client_id="opinion-probe", **patience) as admin:
            if group is not None:
                admin.describe_groups([group])
            return bool(admin.describe_cluster()["brokers"])
    except (KafkaError, OSError, ValueError):
        return False


def _listens(address: str, timeout_seconds: float) -> bool:
    """Whether anybody does; asked first, because it costs no client where nobody does."""
    host, _, port = address.strip().rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout_seconds).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def running(home: Path) -> str | None:
    """The address of the embedded Kafka that another living process runs under `home`."""
    state = children.read_state(home / "run" / "kafka.json", _Running)
    if state is None or state.server.process() is None or state.owner.process() is None:
        return None
    return state.bootstrap


class EmbeddedKafka:
    """One broker and controller on 127.0.0.1; its data survive `stop`, and so do its ports if they stay free.

    `start` and `stop` block. On Linux the broker is stopped when the thread that started it ends; whatever a
    crash leaves behind is stopped by the next `start`.
    """

    name = "kafka"

    def __init__(
        self,
        home: Path,
        *,
        jars: Path | None = None,
        maven_repo: str | None = None,
        heap_megabytes: int = HEAP_MEGABYTES,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),  # noqa: T201
    ) -> None:
        """Args:
        jars: a cache of jars that several homes may share; `home/jars` if absent.
        say: gets what a person should know, such as a port that had to change.
        """
        self._home = home.resolve()
        self._folder = self._home / "kafka"
        self._state = self._home / "run" / "kafka.json"
        self._jars = jars.resolve() if jars else self._home / "jars"
        self._maven_repo = maven_repo
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: FileLock | None = None
        self.log_path = self._home / "logs" / "kafka.log"
        self._node = KafkaNode(self._folder, log_path=self.log_path, heap_megabytes=heap_megabytes)
        self.bootstrap: str | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def is_answering(self) -> bool:
        """Whether the broker that was started answers, as far as can be told within three seconds."""
        return self.bootstrap is not None and is_answering(self.bootstrap)

    def start(self) -> str:
        """Start the broker, or do nothing if it runs; returns `host:port` once it answers.

        The address of the first start is also that of every later one, because others were told it.

        Raises:
            DependencyNotReadyError: the jars cannot be had, the disk is full, the port of the first start is taken,
                or the broker has not shown any progress for two minutes.
        """
        if self.is_running and self.bootstrap:
            return self.bootstrap
        try:
            self.bootstrap = self._start()
        except OSError as error:
            self.stop()
            raise disk.unusable("the embedded Kafka", self._home, error) from error
        except BaseException:
            self.stop()
            raise
        return self.bootstrap

    def _start(self) -> str:
        jars = kafka_jars.fetch(self._jars, self._maven_repo)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock or children.claim(self._folder, "the embedded Kafka")
        children.end(children.find("java", self._node.marker), grace_seconds=STOP_SECONDS)
        instance = self._prepare()
        self._node.format(jars, instance.cluster_id)
        self._process = self._node.launch(jars)
        bootstrap = f"127.0.0.1:{instance.port}"
        self._wait_until_ready(bootstrap)
        owner, server = children.Identity.of(os.getpid()), children.Identity.of(self._process.pid)
        children.write_state(self._state, _Running(bootstrap, server, owner))
        return bootstrap

    def stop(self) -> None:
        """Stop the broker cleanly; kills it after 20 s."""
        if self._process:
            self._state.unlink(missing_ok=True)
            children.stop(self._process, grace_seconds=STOP_SECONDS)
            self._process = None
        if self._lock:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self) -> _Instance:
        """Choose or remember ports and write the configuration."""
        path = self._folder / "instance.json"
        kept = children.read_state(path, _Instance)
        port = children.keep_port(
            "the embedded Kafka", kept.port if kept else None, is_known=bool(self.bootstrap), say=self._say
        )
        controller_port = children.free_port(kept.controller_port if kept else None, but=(port,))
        instance = _Instance(kept.cluster_id if kept else new_cluster_id(), port, controller_port)
        children.write_state(path, instance)
        self._node.configure(1, [Member(1, port, controller_port)])
        return instance

    def _wait_until_ready(self, bootstrap: str) -> None:
        """Wait as long as it takes: reading the log of a large topic after a crash may take many minutes."""
        is_ready = children.wait_while_moving(
            lambda: not self.is_running or is_answering(bootstrap, group="opinion-probe"),
            lambda: children.size(self.log_path),
            seconds=READY_SECONDS,
            at_most=RECOVERY_SECONDS,
        )
        if not is_ready:
            raise self._node.not_ready("did not answer in time")
        if not self.is_running:
            raise self._node.not_ready("ended while starting")
