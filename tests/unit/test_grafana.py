"""The dashboards for Grafana follow its schema, and read what exists.

`tests/support/grafana-schema.json` is made from the types of the npm package @grafana/schema 13.2.3 (Apache-2.0,
Copyright Grafana Labs): the dashboard, and options and custom fields of each kind of panel that is used, by
ts-json-schema-generator, descriptions left out. The target of an annotation is left open: those types know that of
Grafana's own data source alone, while it is a query of whichever source the annotation reads.
"""

import json
import re
from typing import Any

import jsonschema
import prometheus_client
import pytest
import yaml

from core import metrics
from tests.support.grafana import DASHBOARDS, FOLDER, ROOT, metric_names, queries

SCHEMA = json.loads((ROOT / "tests" / "support" / "grafana-schema.json").read_text(encoding="utf-8"))
PROMETHEUS = ROOT / "deploy" / "prometheus"


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_there_are_three() -> None:
    """Opinion, the pipeline, and models with labels; each with an id and title of its own."""
    assert set(DASHBOARDS) == {"overview.json", "pipeline.json", "models.json"}
    for key in ("uid", "title"):
        assert len({board[key] for board in DASHBOARDS.values()}) == 3


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboard_follows_the_schema(name: str) -> None:
    """The whole file, and each panel's options and custom fields by its kind."""
    board = DASHBOARDS[name]
    jsonschema.Draft7Validator(SCHEMA["dashboard"]).validate(board)
    for panel in panels(board):
        jsonschema.Draft7Validator(SCHEMA["options"][panel["type"]]).validate(panel["options"])
        if custom := panel["fieldConfig"]["defaults"].get("custom"):
            jsonschema.Draft7Validator(SCHEMA["custom"][panel["type"]]).validate(custom)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_beside_one_another(name: str) -> None:
    """No panel covers another or reaches over the edge, ids are unique, and each says what it shows."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        x, y, w, h = (panel["gridPos"][key] for key in "xywh")
        cells = {(column, line) for column in range(x, x + w) for line in range(y, y + h)}
        assert x + w <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARDS[name]["panels"]}) == len(DASHBOARDS[name]["panels"])
    assert all(panel["title"] and panel["description"] for panel in panels(DASHBOARDS[name]))


def test_every_data_source_is_provisioned() -> None:
    """Whatever a dashboard reads from is set up, under the same id and kind; no other plugin is asked for."""
    provisioned = yaml.safe_load((FOLDER / "provisioning/datasources/opinion.yml").read_text(encoding="utf-8"))
    known = {(one["uid"], one["type"]) for one in provisioned["datasources"]}
    named = {
        (found["uid"], found["type"])
        for board in DASHBOARDS.values()
        for found in _sources(board)
        if found["uid"] != "-- Grafana --"
    }
    assert named == known
    assert [one["user"] for one in provisioned["datasources"] if one["uid"] == "opinion"] == ["grafana"]


def _sources(value: Any) -> list[dict[str, str]]:
    if isinstance(value, list):
        return [found for one in value for found in _sources(one)]
    if isinstance(value, dict):
        here = [value["datasource"]] if isinstance(value.get("datasource"), dict) else []
        return here + [found for one in value.values() for found in _sources(one)]
    return []


def test_every_metric_is_one_of_ours() -> None:
    """PromQL names only metrics of the code, with labels that they have."""
    known: dict[str, set[str]] = {"up": {"job", "instance"}}
    for metric in vars(metrics).values():
        if isinstance(metric, prometheus_client.metrics.MetricWrapperBase):
            (family,) = metric.describe()
            endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
            for ending in endings:
                labels = {*metric._labelnames, "instance", "job"} | ({"le"} if ending == "_bucket" else set())
                known[family.name + ending] = labels
    asked = queries("prometheus")
    assert len(asked) > 20
    for query in asked:
        names = metric_names(query.text)
        assert names
        assert names <= set(known), query
        labels = {label for group in re.findall(r"\bby *\(([^)]*)\)", query.text) for label in re.split(", *", group)}
        labels |= set(re.findall(r"[{,] *(\w+) *[=!]~?\"", query.text))
        assert labels <= set().union(*(known[name] for name in names)), query


def test_compose_gives_grafana_what_it_is_told_to_read() -> None:
    """Dashboards, provisioning, the password's file and the scrape targets are where the files say."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in services["grafana"]["volumes"]}
    provider = yaml.safe_load((FOLDER / "provisioning/dashboards/opinion.yml").read_text(encoding="utf-8"))[
        "providers"
    ][0]
    assert mounts[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert mounts["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    sources = (FOLDER / "provisioning/datasources/opinion.yml").read_text(encoding="utf-8")
    assert "$__file{/run/reader/password}" in sources
    assert mounts["/run/reader"] == "reader"
    assert "reader grafana --password-file /run/reader/password" in services["reader"]["command"][2]
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    assert [path.rsplit("/", 1)[1] for path in scraped["rule_files"]] == ["alerts.yml"]
    assert (PROMETHEUS / "alerts.yml").exists()
    for job in scraped["scrape_configs"]:
        for found in job["dns_sd_configs"]:
            for name in found["names"]:
                around = services[name]["environment"]
                port = around.get("OPINION_WORKER__PROBES_PORT") or around.get("OPINION_SCHEDULER__PROBES_PORT")
                assert str(found["port"]) == (port or around["OPINION_WEB__PORT"])
