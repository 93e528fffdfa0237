"""The jars of Apache Kafka's server: resolved by jgo from Maven Central (or a mirror), kept in one folder.

A folder of jars is complete or absent: it is filled under another name and renamed when every jar has been
read back, so a download that was killed costs the next start a second download and nothing else.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from core.errors import DependencyNotReadyError

KAFKA_VERSION = "4.3.1"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Kafka's own log binding, which its POM leaves out; `!`: it must not have a say in the versions of the rest
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)
JARS, MEGABYTES = 46, 44  # of this version, for the announcement
PARALLEL_DOWNLOADS = 4
REMEDY = (
    "check the network, or set OPINION_MAVEN_REPO to a Maven mirror you can reach, "
    "or OPINION_KAFKA_BOOTSTRAP to a Kafka that runs already"
)


def folder(jars: Path) -> Path:
    """Where this version's jars lie under the cache `jars`, whether they are there or not."""
    return jars / f"kafka-{KAFKA_VERSION}"


def fetch(jars: Path, maven_repo: str | None = None) -> Path:
    """The folder of Kafka's jars, downloaded first if need be; a progress bar goes to stderr.

    Safe in several processes at once. Blocks: some 15 s the first time, nothing later.

    Raises:
        DependencyNotReadyError: the Maven repository does not answer, or sent a jar that cannot be read.
    """
    complete = folder(jars)
    if complete.is_dir():
        return complete
    jars.mkdir(parents=True, exist_ok=True)
    with FileLock(jars / ".lock"):
        if complete.is_dir():
            return complete
        partial = complete.with_name(complete.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            _download(partial, maven_repo)
            (partial / "jars").rename(complete)
        except (RuntimeError, OSError, zipfile.BadZipFile) as error:  # requests raises kinds of OSError
            raise DependencyNotReadyError(f"cannot fetch Apache Kafka: {error}", remedy=REMEDY) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return complete


def _download(partial: Path, maven_repo: str | None) -> None:
    """Fill `partial/jars`."""
    from jgo.maven import MavenContext, PythonResolver  # only the first start needs it

    console = Console(stderr=True)
    console.print(
        f"First start: fetching Apache Kafka {KAFKA_VERSION} ({JARS} jars, {MEGABYTES} MB) "
        f"from {maven_repo or 'Maven Central'} into {partial.parent}",
        soft_wrap=True,
    )
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
            with zipfile.ZipFile(jar) as archive:
                if broken := archive.testzip():
                    raise zipfile.BadZipFile(f"{jar.name}: {broken} is damaged")
            shutil.move(jar, target / jar.name)
            progress.advance(task)

        with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
            list(pool.map(take, artifacts))
