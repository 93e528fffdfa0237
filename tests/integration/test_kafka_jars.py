"""Fetching Kafka's jars, from a small Maven repository of this test's own."""

import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.errors import DependencyNotReadyError
from streams import kafka_jars

POM = """<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>{name}</artifactId>
<version>1.0</version><dependencies>{dependencies}</dependencies></project>"""
DEPENDENCY = """<dependency><groupId>org.example</groupId><artifactId>part</artifactId><version>1.0</version>
</dependency>"""


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: pytest shows what a test prints."""


def publish(repository: Path, name: str, dependencies: str = "") -> Path:
    """Put an artifact into the repository; returns its jar."""
    folder = repository / "org" / "example" / name / "1.0"
    folder.mkdir(parents=True)
    (folder / f"{name}-1.0.pom").write_text(POM.format(name=name, dependencies=dependencies))
    jar = folder / f"{name}-1.0.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n" * 100)
    return jar


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Maven repository in a folder, with one artifact that needs another."""
    folder = tmp_path / "maven"
    publish(folder, "server", DEPENDENCY)
    publish(folder, "part")
    monkeypatch.setattr(kafka_jars, "COORDINATES", ("org.example:server:1.0",))
    return folder


@pytest.fixture
def mirror(repository: Path) -> Iterator[str]:
    """The repository over HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=repository))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_jars_and_what_they_need_come_from_the_mirror(tmp_path: Path, mirror: str) -> None:
    """The setting `maven_repo` replaces Maven Central, transitively."""
    assert names(kafka_jars.fetch(tmp_path / "jars", mirror)) == ["part-1.0.jar", "server-1.0.jar"]


def test_a_half_written_folder_is_made_anew(tmp_path: Path, mirror: str) -> None:
    """A download that was killed costs the next start a second download and nothing else."""
    jars = tmp_path / "jars"
    half = jars / (kafka_jars.folder(jars).name + ".partial")
    (half / "jars").mkdir(parents=True)
    (half / "jars" / "server-1.0.jar").write_bytes(b"half")
    fetched = kafka_jars.fetch(jars, mirror)
    assert all(zipfile.is_zipfile(fetched / name) for name in names(fetched))
    assert not half.exists()


def test_a_damaged_jar_is_refused(tmp_path: Path, repository: Path, mirror: str) -> None:
    """What arrives damaged is never put where the broker would load it."""
    jar = repository / "org/example/part/1.0/part-1.0.jar"
    jar.write_bytes(jar.read_bytes()[:-40])
    with pytest.raises(DependencyNotReadyError) as refused:
        kafka_jars.fetch(tmp_path / "jars", mirror)
    assert refused.value.remedy
    assert "OPINION_MAVEN_REPO" in refused.value.remedy
    assert not kafka_jars.folder(tmp_path / "jars").exists()


def test_complete_jars_need_no_network(tmp_path: Path, repository: Path, mirror: str) -> None:
    """The second start asks nobody."""
    kafka_jars.fetch(tmp_path / "jars", mirror)
    fetched = kafka_jars.fetch(tmp_path / "jars", "http://127.0.0.1:1")
    assert len(names(fetched)) == 2
