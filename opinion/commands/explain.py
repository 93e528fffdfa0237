"""`opinion explain`: which words made the classifier say what it said, and whether removing them changes its mind."""

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
import typer
from rich.color import Color
from rich.console import Console
from rich.progress import track
from rich.style import Style
from rich.text import Text
from sqlalchemy import Connection

from core.errors import NotFoundError, UsageError
from core.settings import Settings, load_settings
from core.taxonomy import Head
from opinion.champion import champion_checkpoint
from opinion.explanations import Method, explainer
from opinion.servers import database
from storage import human_labels, incidents

if TYPE_CHECKING:  # the real imports load torch
    from models.explanation import Explanation

Explain = Callable[[str, str | None], "Explanation"]

TOP_WORDS: Final = 8
HIDDEN: Final = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}  # crawled text may hold escape codes and direction overrides
_HIDDEN_IN_JSON: Final = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
FOR, AGAINST = (255, 120, 90), (110, 170, 255)  # warm speaks for the class, cold against it
FAINTEST: Final = 0.1  # of the strongest attribution; less would colour the whole text
stderr = Console(stderr=True, highlight=False)


def explain(
    document: Annotated[str | None, typer.Argument(metavar="[ID]", help="Of a stored document.")] = None,
    text: Annotated[str | None, typer.Option(help="A text instead of a stored document.")] = None,
    incident: Annotated[int | None, typer.Option(help="Explain the documents of this incident's evidence.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Check explanations on a labelled file (JSONL, JSONL.gz): figures only.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Texts of --data, evenly spread over the file.", min=1)] = 200,
    head: Annotated[Literal["sentiment", "topic"], typer.Option(help="Which verdict.")] = "sentiment",
    label: Annotated[
        str | None, typer.Option("--class", help="The class to explain; the model's answer if absent.")
    ] = None,
    method: Annotated[Method, typer.Option(help="`gradient` is faster, and worse for deep encoders.")] = "integrated",
    checkpoint: Annotated[
        str | None, typer.Option(help="`starter`, a folder or a hub id; else the champion.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show which words of a text speak for a verdict and which against it.

    Every explanation is checked: the score falls by so much without the words it names, and by so much without as
    many random ones. Documents of an incident are explained as negative unless --class says otherwise.

    Example: opinion explain --text "客服很热情，但是等了三个小时。" --class negative
    """
    if sum(source is not None for source in (document, text, incident, data)) != 1:
        raise UsageError("say what to explain: an ID, --text, --incident or --data, one of them")
    settings = load_settings()
    texts = {"": text} if text is not None else {}
    if document is not None or incident is not None:
        with database(settings) as engine, engine.connect() as connection:
            texts = _evidence(connection, incident) if incident is not None else _stored(connection, str(document))
            checkpoint = checkpoint or champion_checkpoint(settings)
    explained = _explainer(settings, checkpoint, head, method)
    if data is not None:
        figures = _figures(data, rows, explained, label)
        typer.echo(json.dumps(figures) if as_json else _sentence(figures))
        return
    if incident is not None and head == "sentiment":
        label = label or "negative"
    found = {name: explained(body, label) for name, body in texts.items()}
    if not as_json:
        _print(found)
    elif incident is None:
        typer.echo(_safe_json(*map(msgspec.to_builtins, found.values())))
    else:
        documents = [{"id": name, **msgspec.to_builtins(one)} for name, one in found.items()]
        typer.echo(_safe_json({"incident": incident, "documents": documents}))


def _explainer(settings: Settings, checkpoint: str | None, head: Head, method: Method) -> Explain:
    """Explains one text; the class is the model's own answer where none is given."""
    explained = explainer(settings, checkpoint or champion_checkpoint(settings))
    return lambda text, label: explained(text, head, label, method)


def _figures(path: Path, rows: int, explained: Explain, label: str | None) -> dict[str, Any]:
    """Mean fall of the class score over texts, without the words named and without random ones."""
    from models.datasets import read_labelled

    texts = [row.text for row in read_labelled(path)]
    if not texts:
        raise UsageError(f"{path} holds no labelled texts")
    chosen = texts[:: max(len(texts) // rows, 1)][:rows]
    shown = track(chosen, description=path.name, console=stderr, transient=True)
    found = [deletion for text in shown if (deletion := explained(text, label).deletion) is not None]
    if not found:
        raise UsageError(f"no text of {path} has two words to choose from")
    return {
        "file": path.name,
        "texts": len(found),
        "aopc": round(sum(one.aopc for one in found) / len(found), 4),
        "aopc_random": round(sum(one.aopc_random for one in found) / len(found), 4),
        "better_than_random": round(sum(one.aopc > one.aopc_random for one in found) / len(found), 4),
    }


def _sentence(figures: dict[str, Any]) -> str:
    return (
        f"{figures['file']}, {figures['texts']} texts: without the words named the score falls by "
        f"{figures['aopc']:.3f}, without random ones by {figures['aopc_random']:.3f} "
        f"(more on {figures['better_than_random']:.0%} of the texts)"
    )


def _stored(connection: Connection, document: str) -> dict[str, str]:
    found = human_labels.documents_by_id(connection, [document])
    if document not in found:
        raise NotFoundError(f"there is no stored document {document}", remedy="give its text with --text")
    return {document: found[document].text}


def _evidence(connection: Connection, incident: int) -> dict[str, str]:
    """The texts of the newest evidence, by document id; its excerpt where a document is gone."""
    frozen = incidents.newest_evidence(connection, [incident]).get(incident)
    if frozen is None:
        raise NotFoundError(f"there is no evidence of an incident {incident}", remedy="opinion alerts list")
    excerpts = {one["id"]: one["text"] for one in frozen["documents"]}
    stored = human_labels.documents_by_id(connection, excerpts)
    return {name: stored[name].text if name in stored else excerpt for name, excerpt in excerpts.items()}


def _print(found: "dict[str, Explanation]") -> None:
    console = Console(highlight=False, soft_wrap=True)
    for name, one in found.items():
        if name:
            console.print(Text(_visible(name), style="bold"))
        console.print(f"{one.head} {one.label}: {one.score:.2f} ({one.model_version}, {one.method})", markup=False)
        console.print(coloured(one))
        top = ", ".join(f"{word.text} {word.attribution:+.2f}" for word in one.top(TOP_WORDS))
        console.print(Text(_visible(f"speaks for it: {top or 'nothing'}")))
        if one.deletion is not None:
            console.print(
                f"without the words that speak for it most the score falls by {one.deletion.aopc:.3f}, "
                f"without random ones by {one.deletion.aopc_random:.3f}"
            )


def coloured(found: "Explanation") -> Text:
    """The text with every word's background as strong as its attribution; nothing of it can steer a terminal."""
    shown = Text(_visible(found.text))
    strongest = max((abs(word.attribution) for word in found.tokens), default=0.0)
    for word in found.tokens:
        share = abs(word.attribution) / strongest if strongest else 0.0
        if share >= FAINTEST:
            red, green, blue = (
                round(255 - (255 - part) * share) for part in (FOR if word.attribution > 0 else AGAINST)
            )
            shown.stylize(Style(color="black", bgcolor=Color.from_rgb(red, green, blue)), word.start, word.end)
    return shown


def _visible(text: str) -> str:
    """Equally long, with a space for everything that does not print."""
    return "".join(" " if unicodedata.category(c) in HIDDEN else c for c in text)


def _safe_json(body: dict[str, Any]) -> str:
    """JSON whose strings hold no character that a terminal obeys; Chinese stays readable."""
    written = json.dumps(body, ensure_ascii=False)
    return _HIDDEN_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
