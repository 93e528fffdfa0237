"""Who takes part, and how each is started."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
REQUIREMENTS = REPOSITORY / "benchmarks" / "rivals" / "requirements.txt"
PATHWAY_SCHEMA = "CREATE TABLE verdict (document_id text, label text, score real, time bigint, diff bigint)"


@dataclass(frozen=True)
class Contestant:
    """One way from Kafka to SQL.

    Attributes:
        module: what `python -m` runs, with its arguments.
        table, key: where its rows appear, and the column with the document's id.
        schema: makes the table before it starts; None for those that make their own.
        is_fast: whether it takes part in every round.
        is_ours: whether it is this project's worker, which has settings, a schema and a checkpoint of its own.
    """

    name: str
    module: str
    table: str = "verdict"
    key: str = "id"
    schema: str | None = "CREATE TABLE verdict (id text, label text, score real)"
    is_fast: bool = False
    is_ours: bool = False

    @property
    def slug(self) -> str:
        """Its name in letters and digits, for topics, files and databases."""
        return re.sub(r"[^a-z0-9]", "", self.name.lower())


OURS = Contestant("this project", "faust -A streams.app worker -l warn", "document", is_fast=True, is_ours=True)
CONTESTANTS = (
    OURS,
    Contestant("loop, 256 sorted, bf16", "benchmarks.rivals.loop_256", is_fast=True),
    Contestant("loop, 64 sorted", "benchmarks.rivals.loop_64"),
    Contestant("Pathway", "benchmarks.rivals.pathway_flow", key="document_id", schema=PATHWAY_SCHEMA),
    Contestant("Bytewax", "bytewax.run benchmarks.rivals.bytewax_flow"),
    Contestant("Quix Streams", "benchmarks.rivals.quix", schema=None),
    Contestant("Faust one by one", "faust -A benchmarks.rivals.faust_one worker -l warn --without-web"),
    Contestant("Faust take(64)", "faust -A benchmarks.rivals.faust_take worker -l warn --without-web"),
)


def rivals_python(home: Path) -> Path:
    """The interpreter of the rivals' environment, which is made on the first call (1.2 GB).

    It sees this environment's packages behind its own, so that all run the same torch and transformers. A rival that
    cannot be installed here fails when its turn comes.
    """
    folder = home.absolute() / "rivals"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        site = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        (site / "this_project.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        for requirement in REQUIREMENTS.read_text(encoding="utf-8").split():
            subprocess.run([*pip, requirement], check=False)
    return python


def start(
    contestant: Contestant, python: Path, folder: Path, log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Its process; what it says goes to `log`, and its files to `folder`."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable if contestant.is_ours else python, "-m", *contestant.module.split()],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
