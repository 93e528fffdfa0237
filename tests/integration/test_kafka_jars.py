"""Fetching Kafka's jars, from a small Maven repository of this test's own."""

import hashlib
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.errors import DependencyNotReadyError
from core.settings import Settings
from opinion import checks
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
    """A Maven repository in a folder, with one artifact that needs another, and the manifest of both."""
    folder = tmp_path / "maven"
    jars = [publish(folder, "server", DEPENDENCY), publish(folder, "part")]
    manifest = tmp_path / "manifest.sha256"
    manifest.write_text("".join(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in jars))
    monkeypatch.setattr(kafka_jars, "COORDINATES", ("org.example:server:1.0",))
    monkeypatch.setattr(kafka_jars, "MANIFEST", manifest)
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
    assert kafka_jars.damaged(fetched) == []
    assert not half.exists()


def truncate(jar: Path) -> None:
    """As a full disk leaves it."""
    jar.write_bytes(jar.read_bytes()[:-40])


def flip_a_bit(jar: Path) -> None:
    """Of the same size and date, and still a ZIP file."""
    content, state = bytearray(jar.read_bytes()), jar.stat()
    content[60] ^= 1
    jar.write_bytes(content)
    os.utime(jar, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_a_jar_that_arrives_damaged_is_refused(
    tmp_path: Path, repository: Path, mirror: str, damage: Callable[[Path], None]
) -> None:
    """What is not the jar we know is never put where the broker would load it."""
    damage(repository / "org/example/part/1.0/part-1.0.jar")
    with pytest.raises(DependencyNotReadyError, match=r"part-1.0.jar") as refused:
        kafka_jars.fetch(tmp_path / "jars", mirror)
    assert refused.value.remedy
    assert "OPINION_MAVEN_REPO" in refused.value.remedy
    assert not kafka_jars.folder(tmp_path / "jars").exists()


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, Path.unlink])
def test_a_jar_that_was_damaged_later_is_fetched_again(
    tmp_path: Path,
    repository: Path,
    mirror: str,
    damage: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A full disk or a flipped bit in a complete folder costs a second download and is said."""
    complete = kafka_jars.fetch(tmp_path / "jars", mirror)
    damage(complete / "part-1.0.jar")
    assert kafka_jars.damaged(complete) == ["part-1.0.jar"]
    assert kafka_jars.fetch(tmp_path / "jars", mirror) == complete
    assert kafka_jars.damaged(complete) == []
    assert names(complete) == ["part-1.0.jar", "server-1.0.jar"]
    assert names(complete.parent) == [".lock", complete.name]
    assert "1 jars (part-1.0.jar)" in capsys.readouterr().err


def test_a_damaged_jar_without_a_network_is_named_and_the_rest_is_kept(tmp_path: Path, mirror: str) -> None:
    """Error and `opinion doctor` say which jar is damaged, where, and what to do; a copied jar then suffices."""
    complete = kafka_jars.fetch(tmp_path / "jars", mirror)
    whole = (complete / "part-1.0.jar").read_bytes()
    truncate(complete / "part-1.0.jar")
    with pytest.raises(DependencyNotReadyError, match=r"part-1.0.jar.* are damaged") as refused:
        kafka_jars.fetch(tmp_path / "jars", "http://127.0.0.1:1")
    assert str(complete) in refused.value.message
    assert refused.value.remedy == kafka_jars.REMEDY
    finding = checks.jars(Settings(jars=tmp_path / "jars"))
    assert (finding.status, "part-1.0.jar" in finding.detail) == ("warn", True)
    (complete / "part-1.0.jar").write_bytes(whole)
    assert kafka_jars.fetch(tmp_path / "jars", "http://127.0.0.1:1") == complete


def test_a_disk_without_room_for_the_jars_is_named(tiny_disk: Callable[[int], Path], mirror: str) -> None:
    """The error names the folder and asks for space, not for a network; nothing half remains."""
    jars = tiny_disk(12_288) / "jars"
    with pytest.raises(DependencyNotReadyError, match=f"disk of {jars} is full") as refused:
        kafka_jars.fetch(jars, mirror)
    assert refused.value.remedy
    assert "No space left" in refused.value.message
    assert "free some space" in refused.value.remedy
    assert names(jars) == [".lock"]


def test_complete_jars_need_no_network(tmp_path: Path, repository: Path, mirror: str) -> None:
    """The second start asks nobody."""
    kafka_jars.fetch(tmp_path / "jars", mirror)
    fetched = kafka_jars.fetch(tmp_path / "jars", "http://127.0.0.1:1")
    assert len(names(fetched)) == 2
