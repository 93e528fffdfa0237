"""The dashboard for Apache Superset is one that it imports, and every chart of it finds something in schema `bi`.

`tests/support/superset-schema.json` holds what each kind of file may and must have: the fields of the import schemas
of apache-superset 6.1.0 (Apache-2.0), and their types.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
import yaml

from tests.support.analyst_days import local

FOLDER = Path(__file__).parents[2] / "deploy" / "superset" / "opinion"
SCHEMA = json.loads((Path(__file__).parents[1] / "support" / "superset-schema.json").read_text(encoding="utf-8"))
FILES = {
    str(path.relative_to(FOLDER)): yaml.safe_load(path.read_text(encoding="utf-8")) for path in FOLDER.rglob("*.yaml")
}
CHARTS = {name: chart for name, chart in sorted(FILES.items()) if name.startswith("charts/")}
DATASETS = {one["uuid"]: one for name, one in FILES.items() if name.startswith("datasets/")}
[DASHBOARD] = [one for name, one in FILES.items() if name.startswith("dashboards/")]
[DATABASE] = [one for name, one in FILES.items() if name.startswith("databases/")]
GRAINS = {"P1D": "DATE_TRUNC('day', {})", "PT1H": "DATE_TRUNC('hour', {})"}


@pytest.fixture(scope="module")
def reader(analyst_database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(analyst_database_url, autocommit=True) as connection:
        connection.execute("SET ROLE opinion_bi")
        yield connection


def test_files_are_what_an_import_takes() -> None:
    """Each has the fields that Superset wants and no others, and they name one another by uuid."""
    for name, content in FILES.items():
        kind = {"databases": "database", "datasets": "dataset", "charts": "chart", "dashboards": "dashboard"}
        jsonschema.Draft7Validator(SCHEMA[kind.get(name.split("/")[0], "metadata")]).validate(content)
    for dataset in DATASETS.values():
        assert dataset["database_uuid"] == DATABASE["uuid"]
        for part in ("column", "metric"):
            for one in dataset[f"{part}s"]:
                jsonschema.Draft7Validator(SCHEMA[part]).validate(one)
    assert {chart["dataset_uuid"] for chart in CHARTS.values()} == set(DATASETS)
    shown = {
        part["meta"]["uuid"]
        for part in DASHBOARD["position"].values()
        if isinstance(part, dict) and part["type"] == "CHART"
    }
    assert shown == {chart["uuid"] for chart in CHARTS.values()}
    assert "@" in DATABASE["sqlalchemy_uri"]
    assert ":" not in DATABASE["sqlalchemy_uri"].split("//")[1].split("@")[0]  # no password is written down


def test_columns_are_those_of_the_database(reader: psycopg.Connection) -> None:
    """A dataset has exactly the columns that its view or query gives, in their order."""
    for dataset in DATASETS.values():
        given = reader.execute(f"SELECT * FROM {source_of(dataset)} LIMIT 0".encode()).description or []  # noqa: S608
        promised = [column["column_name"] for column in dataset["columns"]]
        assert promised == [column.name for column in given][: len(promised)], dataset["table_name"]
        assert dataset["main_dttm_col"] in promised


@pytest.mark.parametrize("name", CHARTS)
def test_chart_finds_something(reader: psycopg.Connection, name: str) -> None:
    """What the chart asks for, as SQL like Superset's own, runs as the read-only role and is not empty."""
    chart = CHARTS[name]
    [query] = json.loads(chart["query_context"])["queries"]
    dataset = DATASETS[chart["dataset_uuid"]]
    expressions = {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
    axes = [one for one in query["columns"] if isinstance(one, dict)]
    plain = [one for one in query["columns"] if isinstance(one, str)]
    assert set(plain) <= {column["column_name"] for column in dataset["columns"]}
    selected = [f"{GRAINS[axis['timeGrain']].format(axis['sqlExpression'])} AS {axis['label']}" for axis in axes]
    metrics = [f"{expressions[one]} AS {one}" for one in query["metrics"] or ()]
    groups = [str(n + 1) for n in range(len(axes) + len(plain))] if metrics else []
    [when] = query["filters"]
    order = ", ".join(f"{column} {'ASC' if is_ascending else 'DESC'}" for column, is_ascending in query["orderby"])
    sql = f"""
        SELECT {", ".join([*selected, *plain, *metrics])} FROM {source_of(dataset)}
        WHERE {when["col"]} >= '{local(2, 0).isoformat()}' AND {when["col"]} < '{local(16, 0).isoformat()}'
        {"GROUP BY " + ", ".join(groups) if groups else ""} {"ORDER BY " + order if order else ""}
        LIMIT {query["row_limit"]}
    """  # noqa: S608  # our own files
    rows = reader.execute(sql.encode()).fetchall()
    assert rows
    assert any(value is not None for value in rows[0])


@pytest.mark.parametrize("name", CHARTS)
def test_the_form_asks_what_the_query_asks(name: str) -> None:
    """A chart that is opened in the editor asks for what it shows on the dashboard."""
    params: dict[str, Any] = CHARTS[name]["params"]
    [query] = json.loads(CHARTS[name]["query_context"])["queries"]
    groups = params.get("groupby", [])
    columns = params.get("all_columns") or [*([params["x_axis"]] if "x_axis" in params else []), *_list(groups)]
    assert columns == [one["label"] if isinstance(one, dict) else one for one in query["columns"]]
    assert _list(params.get("metrics") or params.get("metric") or []) == (query["metrics"] or [])
    assert params["viz_type"] == CHARTS[name]["viz_type"]
    assert [one["comparator"] for one in params["adhoc_filters"]] == [one["val"] for one in query["filters"]]


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def source_of(dataset: dict[str, Any]) -> str:
    sql = dataset["sql"]
    return f"({sql}) AS virtual_table" if sql else f"{dataset['schema']}.{dataset['table_name']}"
