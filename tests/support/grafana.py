"""What Grafana sends to PostgreSQL and Prometheus for a dashboard: variables put in, macros expanded.

By Grafana's documentation of the PostgreSQL data source ("Macros", "Use template variables") and of global variables.
A variable that takes several values, or all, becomes a list of quoted values.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "grafana"
DASHBOARDS: Final = {
    path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("dashboards/*.json"))
}
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
WORDS: Final = {"by", "on", "without", "ignoring", "and", "or", "le", "unless"}


@dataclass(frozen=True)
class Query:
    """One query of a dashboard: a panel's, a variable's or an annotation's."""

    dashboard: str
    name: str
    source: str
    text: str
    format: str
    interval: str


def queries(source: str) -> list[Query]:
    """All queries to the data source with this uid."""
    return [query for name, board in DASHBOARDS.items() for query in _queries(name, board) if query.source == source]


def _queries(name: str, board: Mapping[str, Any]) -> Iterator[Query]:
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            text = target.get("rawSql") or target["expr"]
            title = f"{panel['title']} {target['refId']}"
            interval = panel.get("interval", "1m")
            yield Query(name, title, target["datasource"]["uid"], text, target.get("format", ""), interval)
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield Query(
                name, f"${variable['name']}", variable["datasource"]["uid"], variable["query"], "variable", ""
            )
    for note in board["annotations"]["list"]:
        if "target" in note:
            text = note["target"]["rawSql"]
            yield Query(name, note["name"], note["datasource"]["uid"], text, "annotation", "1m")


def expanded(query: Query, start: datetime, end: datetime, values: Mapping[str, Sequence[str]]) -> str:
    """The SQL as PostgreSQL gets it.

    Args:
        values: of the variables that take several; all of them are chosen.

    Raises:
        AssertionError: something is left that Grafana would not know.
    """
    text = query.text
    for name, chosen in values.items():
        quoted = ",".join("'" + value.replace("'", "''") + "'" for value in chosen)
        text = re.sub(rf"\$\{{?{name}\b\}}?", lambda _, quoted=quoted: quoted, text)  # type: ignore[misc]
    text = re.sub(r"\$__interval\b", query.interval, text)
    since, until = (f"'{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'" for at in (start, end))
    text = re.sub(r"\$__timeFilter\(([^()]+)\)", rf"\1 BETWEEN {since} AND {until}", text)
    text = re.sub(r"\$__timeFrom\(\)", since, text)
    text = re.sub(r"\$__timeTo\(\)", until, text)
    text = re.sub(r"\$__timeGroup(Alias)?\(([^(),]+), *'?(\d+)([smhd])'?\)", _group, text)
    assert "$" not in text, text
    return text


def _group(found: re.Match[str]) -> str:
    width = int(found[3]) * SECONDS[found[4]]
    return f"floor(extract(epoch from {found[2]})/{width})*{width}" + (' AS "time"' if found[1] else "")


def metric_names(expression: str) -> set[str]:
    """The metrics that a PromQL expression names."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"|\b(by|without|on|ignoring) *\([^)]*\)", " ", expression)
    return {name for name in re.findall(r"\b[a-z_][a-z0-9_]*\b(?! *\()", bare) if name not in WORDS}
