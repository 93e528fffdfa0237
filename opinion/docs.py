"""Writes the generated pages of docs/reference: `python -m opinion.docs`, or `make docs`.

Each page is made from the code (or, for SQL, from the COMMENTs of a migrated database) and a test holds the files
against it, so that a setting, topic, metric, command, record or view cannot exist undocumented.
"""

import inspect
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import prometheus_client
import typer
from pydantic import BaseModel
from sqlalchemy import Connection, text

from core import metrics
from core.channels import ChannelSettings
from core.errors import GateRefusedError
from core.records import RECORDS, schemas
from core.settings import KafkaSettings, Settings
from opinion import async_api
from opinion.cli import app
from storage import bi_contract, migrate
from storage.engine import connect
from storage.local import EmbeddedPostgres
from streams import topics

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
PROMISED = Path(__file__).parents[1] / "tests" / "golden" / "bi.json"  # schema bi, as it was promised
WRITTEN_BY = "<!-- Written by `make docs`; change the code, not this page. -->"
BI_COMMENTS = """
    SELECT c.relname, obj_description(c.oid, 'pg_class'), a.attname, format_type(a.atttypid, a.atttypmod),
           col_description(c.oid, a.attnum)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE n.nspname = 'bi' AND c.relkind = 'v'
    ORDER BY c.relname, a.attnum
"""
TABLE_COMMENTS = """
    SELECT c.relname, obj_description(c.oid, 'pg_class')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'alembic_version'
    ORDER BY c.relname
"""


def settings_page() -> str:
    """Every setting with its environment variable, type and default."""
    rows = [
        (f"`{variable}`", f"`{key}`", kind, default, about)
        for variable, key, kind, default, about in _settings(Settings, ())
    ]
    return _page(
        "Settings",
        "Read in this order, the first wins: arguments of a command, the environment, `.env`, `opinion.yaml` (or the "
        "file that `OPINION_CONFIG` names), defaults. In the environment a list is written as JSON. A duration is "
        "`HH:MM:SS` or ISO 8601 such as `PT5M`.",
        _table(("environment", "opinion.yaml", "type", "default", "what it does"), rows),
        _channel_table(),
    )


def _channel_table() -> str:
    """What an entry of `alerts.channels` holds."""
    rows = [
        (f"`{key}`", kind, "required" if ChannelSettings.model_fields[key].is_required() else default, about)
        for _, key, kind, default, about in _settings(ChannelSettings, ())
    ]
    return "## A channel\n\nAn entry of `alerts.channels`; [how to](../how-to/send-alerts.md).\n\n" + _table(
        ("key", "type", "default", "what it is"), rows
    )


def topics_page() -> str:
    """The manifest of Kafka topics."""
    kafka = KafkaSettings()
    rows = []
    for topic in topics.MANIFEST:
        retention = "forever" if topic.retention == topics.FOREVER else "`OPINION_KAFKA__RAW_RETENTION`"
        partitions = str(topic.partitions or "`OPINION_KAFKA__PARTITIONS`")
        kept = "newest of each key" if topic.cleanup == "compact" else retention
        largest = f"{int(topic.config(kafka)['max.message.bytes']):,} B"
        cells = (topic.key, topic.record, topic.writer, topic.readers, partitions, kept, largest)
        rows.append((f"`{topic.name}`", *cells))
    return _page(
        "Kafka topics",
        "`opinion topics plan` compares a cluster with this list, `opinion topics apply` creates what is missing. "
        "Names are preceded by `OPINION_KAFKA__TOPIC_PREFIX`, which is empty by default.",
        _table(("topic", "key", "value", "written by", "read by", "partitions", "kept", "largest message"), rows),
    )


def metrics_page() -> str:
    """Every Prometheus metric."""
    rows = []
    for metric in vars(metrics).values():
        if not isinstance(metric, prometheus_client.metrics.MetricWrapperBase):
            continue
        (family,) = metric.describe()
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # there is no public way to ask
        rows.append((f"`{name}`", family.type, labels, family.documentation))
    return _page(
        "Metrics",
        "Served at `/metrics` by worker, scheduler and console, beside `/healthz` (the process is alive) and "
        "`/readyz` (it can do its work; otherwise 503 with the reasons).",
        _table(("metric", "type", "labels", "meaning"), rows),
    )


def commands_page() -> str:
    """Every command with its help text."""
    sections = []
    for path, command in _commands(typer.main.get_command(app), ("opinion",)):
        usage = " ".join([*path, *command.collect_usage_pieces(typer.Context(command))])
        sections.append(f"## {' '.join(path)}\n\n```text\n{usage}\n```\n\n{_prose(command.help)}\n")
        rows = [
            (f"`{_name(parameter)}`", parameter.help or "")
            for parameter in command.params
            if parameter.name != "help"
        ]
        if rows:
            sections.append(_table(("argument or option", "meaning"), rows))
    return _page(
        "Commands",
        "Results go to stdout, everything else to stderr; with `--json`, stdout carries one JSON object. Exit codes: "
        "0 done, 1 failed, 2 usage, 3 a dependency is not ready, 4 not found, 5 a check or gate said no.",
        *sections,
    )


def records_page() -> str:
    """What travels on the topics: fields and JSON Schemas."""
    found = schemas()
    by_record = {topic.record: topic.name for topic in topics.MANIFEST}
    sections = []
    for record in RECORDS:
        name = record.__name__
        about, meanings = _contract(record)
        rows = [
            (f"`{f.encode_name}`", _type(f.type), "yes" if f.required else "", meanings.get(f.encode_name, ""))
            for f in msgspec.structs.fields(record)
        ]
        schema = json.dumps(found[name], indent=2, ensure_ascii=False)
        sections += [
            f"## {name}\n\nOn `{by_record[name]}`: {about}\n",
            _table(("field", "type", "required", "meaning"), rows),
            f"<details><summary>JSON Schema</summary>\n\n```json\n{schema}\n```\n\n</details>\n",
        ]
    rest = {name: schema for name, schema in found.items() if name not in {record.__name__ for record in RECORDS}}
    sections.append(f"## Parts\n\n```json\n{json.dumps(rest, indent=2, ensure_ascii=False)}\n```\n")
    return _page(
        "Records",
        "JSON, UTF-8, one object a message; unknown fields are ignored. Times are RFC 3339; a time without a "
        "zone and a bare date are read in `OPINION_TIMEZONE`.",
        *sections,
    )


def sql_page(connection: Connection) -> str:
    """The views of schema `bi` and the tables behind them, from their COMMENTs."""
    views: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for view, about, column, kind, meaning in connection.execute(text(BI_COMMENTS)):
        views.setdefault((view, about or ""), []).append((f"`{column}`", kind, meaning or ""))
    sections = [_star()]
    sections += [
        f"## bi.{view}\n\n{about}\n\n{_table(('column', 'type', 'meaning'), columns)}{_joins(view)}"
        for (view, about), columns in views.items()
    ]
    tables = [(f"`{name}`", about or "") for name, about in connection.execute(text(TABLE_COMMENTS))]
    sections.append(f"## Tables\n\nNot for dashboards: they may change.\n\n{_table(('table', 'holds'), tables)}")
    return _page(
        "SQL",
        "Dashboards rely on the views of schema `bi`; the role `opinion_bi` may read these and nothing else "
        "([how to](../how-to/query-by-sql.md)). `bi.version` says which version of the contract a database has: "
        "views and columns are added within `bi`, and what would break a query comes in a schema `bi_v2` beside it. "
        "Times are `timestamptz`; `local_day` is the day in the zone of `bi.reporting_zone`. "
        "The same texts are in the database, as COMMENTs (`\\d+ bi.sentiment_hour`).",
        *sections,
    )


def _star() -> str:
    """The main views and how they join, as a picture that GitHub and GitLab draw."""
    lines = []
    for join in (one for one in bi_contract.JOINS if {one.many, one.one} <= bi_contract.STAR):
        keys = ", ".join(theirs for theirs, _ in join.keys)
        lines.append(f'    {join.one} {"|o" if join.is_unique else "}o"}--o{{ {join.many} : "{keys}"')
    return "## How they join\n\n```mermaid\nerDiagram\n" + "\n".join(sorted(lines)) + "\n```\n"


def _joins(view: str) -> str:
    """What a view's keys lead to."""
    found = [join for join in bi_contract.JOINS if join.many == view]
    lines = [
        f"- `JOIN bi.{join.one} ON {join.condition}`"
        + ("" if join.is_unique else ": a row for each time it was promoted")
        for join in found
    ]
    return "\n" + "\n".join(lines) + "\n" if lines else ""


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "topics.md": topics_page,
    "metrics.md": metrics_page,
    "commands.md": commands_page,
    "records.md": records_page,
}


def _settings(section: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, str, str, str, str]]:
    for name, field in section.model_fields.items():
        keys = (*above, name)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, keys)
            continue
        value = field.get_default(call_default_factory=True, validated_data={})
        default = "" if value is None else f"`{json.dumps(value) if isinstance(value, list) else value}`"
        about = field.description or ""
        yield "OPINION_" + "__".join(keys).upper(), ".".join(keys), _type(kind), default, about


def _type(kind: Any) -> str:
    """A type as a reader names it."""
    if kind is timedelta:
        return "duration"
    if get_origin(kind) is Literal:
        return " or ".join(str(value) for value in get_args(kind))
    arguments = [argument for argument in get_args(kind) if argument is not type(None)]
    if get_origin(kind) in (list, dict):
        return f"{get_origin(kind).__name__} of {', '.join(map(_type, arguments))}"
    if arguments:
        return " or ".join(map(_type, arguments))
    names = {
        "ChannelSettings": "channels",
        "str": "text",
        "SecretStr": "secret text",
        "float": "number",
        "int": "whole number",
        "bool": "yes or no",
        "Path": "path",
        "IPvAnyNetwork": "network",
    }
    name = str(getattr(kind, "__name__", kind))
    return names.get(name, name)


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, depth first. Typer keeps the types of its commands to itself."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in sorted(children.items()):
        yield from _commands(child, (*path, name))


def _name(parameter: Any) -> str:
    """How a parameter is written on the command line."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name).upper()
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def _contract(record: type[msgspec.Struct]) -> tuple[str, dict[str, str]]:
    """What a struct's docstring says of it, after the topic's name, and of its fields."""
    about, _, attributes = _prose(record.__doc__).partition("\n\nAttributes:\n")
    found = re.findall(r"^ *(\w+): (.*)$", attributes, re.MULTILINE)
    return re.sub(r"^`[^`]+`( \([^)]*\))?[:,] ", "", about).replace("\n", " "), dict(found)


def _prose(docstring: str | None) -> str:
    """A docstring as Markdown paragraphs."""
    return inspect.cleandoc(docstring or "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _page(title: str, about: str, *parts: str) -> str:
    return "\n".join([f"# {title}", "", WRITTEN_BY, "", about, "", *parts])


def promise(connection: Connection, path: Path) -> None:
    """Write down what schema `bi` holds, as what it will hold from now on.

    Raises:
        GateRefusedError: it no longer holds what was written down before.
    """
    now = bi_contract.read(connection)
    if path.exists() and (broken := bi_contract.breaks(json.loads(path.read_text(encoding="utf-8")), now)):
        raise GateRefusedError("\n".join(broken), remedy="make the new view in a schema bi_v2 and leave this one")
    path.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Write all pages; starts an embedded PostgreSQL for a moment, for the SQL page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
    (REFERENCE / async_api.SCHEMAS).mkdir(exist_ok=True)
    for name, content in async_api.pages().items():
        (REFERENCE / name).write_text(content, encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="opinion-docs-") as home:
        Path(home).chmod(0o755)  # PostgreSQL may run as another account
        with EmbeddedPostgres(Path(home), is_durable=False) as postgres:
            if postgres.url is None:
                sys.exit("PostgreSQL has no address")
            migrate.upgrade(postgres.url)
            engine = connect(postgres.url)
            with engine.connect() as connection:
                (REFERENCE / "sql.md").write_text(sql_page(connection), encoding="utf-8")
                promise(connection, PROMISED)
            engine.dispose()


if __name__ == "__main__":
    main()
