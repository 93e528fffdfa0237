"""The jars of Apache Kafka's server: resolved by jgo from Maven Central (or a mirror), kept in one folder.

Every jar is known by its SHA-256 and looked at before every use, so a download that was killed, a full disk or a
flipped bit costs a second download and nothing else. A folder is filled under another name and renamed when it is
complete; a damaged one stays until its successor is.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from core import disk
from core.errors import DependencyNotReadyError

KAFKA_VERSION = "4.3.1"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Kafka's own log binding, which its POM leaves out; `!`: it must not have a say in the versions of the rest
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)
MEGABYTES = 44  # of this version, for the announcement
# As `sha256sum *.jar` prints them; with another version comes another file.
MANIFEST = Path(__file__).with_name(f"kafka-{KAFKA_VERSION}.sha256")
PARALLEL_DOWNLOADS = 4
REMEDY = (
    "check the network, or set OPINION_MAVEN_REPO to a Maven mirror you can reach, "
    "or OPINION_KAFKA_BOOTSTRAP to a Kafka that runs already"
)


def folder(jars: Path) -> Path:
    """Where this version's jars lie under the cache `jars`, whether they are there or not."""
    return jars / f"kafka-{KAFKA_VERSION}"


def damaged(complete: Path) -> list[str]:
    """The jars of this version that are missing from the folder or not what they should be. Takes 0.05 s."""
    pairs = (line.split() for line in MANIFEST.read_text("ascii").splitlines())
    return [name for digest, name in pairs if _digest(complete / name) != digest]


def fetch(jars: Path, maven_repo: str | None = None) -> Path:
    """The folder of Kafka's jars, downloaded first if one is missing or damaged; a progress bar goes to stderr.

    Safe in several processes at once. Blocks: some 15 s the first time, nothing to speak of later.

    Raises:
        DependencyNotReadyError: the Maven repository does not answer or sent something else, or the disk is full.
    """
    complete = folder(jars)
    if not damaged(complete):
        return complete
    try:
        jars.mkdir(parents=True, exist_ok=True)
        with FileLock(jars / ".lock"):
            if broken := damaged(complete):
                _replace(complete, broken, maven_repo)
    except (RuntimeError, OSError) as error:  # requests raises kinds of OSError
        what = "cannot fetch Apache Kafka"
        if complete.is_dir():
            what = (
                f"{_named(damaged(complete))} of {complete} are damaged, and the attempt to fetch them again failed"
            )
        if disk.is_full(jars, str(error)):
            raise disk.full(what, jars, str(error)) from error
        raise DependencyNotReadyError(f"{what}: {error}", remedy=REMEDY) from error
    return complete


def _replace(complete: Path, broken: list[str], maven_repo: str | None) -> None:
    """Put a whole folder where there is none, or a damaged one."""
    console = Console(stderr=True)
    why = f"{_named(broken)} of {complete} are damaged" if complete.is_dir() else "First start"
    console.print(
        f"{why}: fetching Apache Kafka {KAFKA_VERSION} ({MEGABYTES} MB) from {maven_repo or 'Maven Central'}"
        f" into {complete.parent}",
        soft_wrap=True,
    )
    partial, aside = complete.with_name(f"{complete.name}.partial"), complete.with_name(f"{complete.name}.damaged")
    for leftover in (partial, aside):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        _download(partial, maven_repo, console)
        if wrong := damaged(partial / "jars"):
            raise RuntimeError(
                f"{maven_repo or 'Maven Central'} sent {_named(wrong)} that are not those of {MANIFEST}"
            )
        if complete.exists():
            complete.rename(aside)
        (partial / "jars").rename(complete)
    finally:
        for leftover in (partial, aside):
            shutil.rmtree(leftover, ignore_errors=True)


def _digest(path: Path) -> str | None:
    """SHA-256 in hexadecimal; None when the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _named(names: list[str]) -> str:
    """Some jars, in a sentence."""
    some = ", ".join(names[:3])
    return f"{len(names)} jars ({some}{', …' if len(names) > 3 else ''})"


def _download(partial: Path, maven_repo: str | None, console: Console) -> None:
    """Fill `partial/jars`."""
    from jgo.maven import MavenContext, PythonResolver  # only the first start needs it

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("files"))
    with Progress(*columns, TextColumn("{task.fields[megabytes]:.1f} MB"), console=console) as progress:
        task = progress.add_task("reading the list", total=None, megabytes=0.0)
        received = 0

        @contextmanager
        def count(_filename: str, _size: int) -> Iterator[Callable[[int], None]]:
            def add(size: int) -> None:
                nonlocal received
                received += size
                progress.update(task, megabytes=received / 1e6)

            yield add

        context = MavenContext(
            resolver=PythonResolver(progress_callback=count),
            repo_cache=partial / "repository",
            remote_repos={"mirror": maven_repo.rstrip("/")} if maven_repo else None,
            timeout=30,
        )
        wanted, needed = context.resolver.resolve([context.create_dependency(c) for c in COORDINATES])
        artifacts = [dependency.artifact for dependency in (*wanted, *needed)]
        progress.update(task, description="downloading", total=len(artifacts))
        target = partial / "jars"
        target.mkdir()

        def take(artifact: Any) -> None:
            jar = artifact.resolve()
            shutil.move(jar, target / jar.name)
            progress.advance(task)

        with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
            list(pool.map(take, artifacts))
