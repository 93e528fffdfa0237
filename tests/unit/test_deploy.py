"""The deployment files name what exists: settings, services, probes; and follow Compose's own schema.

`tests/support/compose-spec.json` is the schema of the Compose specification, unchanged: repository
compose-spec/compose-spec, schema/compose-spec.json, commit 170098ba07d9, Apache-2.0, Copyright Docker, Inc.
"""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from core.settings import Settings
from streams.kafka_jars import KAFKA_VERSION

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "support" / "compose-spec.json"
OUR_SERVICES = ("migrate", "worker", "worker-gpu", "scheduler", "console", "reader")
ONE_SHOT = ("migrate", "reader")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def known_variables(section: type[BaseModel], prefix: str) -> set[str]:
    """The environment variable of every setting."""
    names = set()
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= known_variables(kind, f"{prefix}{name.upper()}__")
        else:
            names.add(f"{prefix}{name.upper()}")
    return names


def test_compose_follows_the_schema(compose: dict[str, Any]) -> None:
    """docker-compose.yml is valid by the Compose specification's own schema."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(compose)


@pytest.mark.parametrize("name", ["docker-compose.yml", ".env.example", "deploy/compose.env.example", "Dockerfile"])
def test_every_variable_is_a_setting(name: str) -> None:
    """Every OPINION_ variable in a deployment file is a real setting."""
    used = set(re.findall(r"\bOPINION_[A-Z_]+\b", (ROOT / name).read_text(encoding="utf-8")))
    assert used
    assert used <= known_variables(Settings, "OPINION_") | {"OPINION_CONFIG"}


def test_no_secret_is_written_down(compose: dict[str, Any]) -> None:
    """Passwords come from the environment file, which is required, and the examples leave them empty."""
    for service in compose["services"].values():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|DATABASE_URL", variable) and not variable.endswith("__FILE"):
                assert "${POSTGRES_PASSWORD:?" in str(value)
    assert "\nPOSTGRES_PASSWORD=\n" in (ROOT / "deploy" / "compose.env.example").read_text(encoding="utf-8")


def test_environment_files_are_not_committed() -> None:
    """Git ignores the files that hold the secrets."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", "compose.env"} <= set(ignored)


def test_everything_has_a_health_check_and_restarts(compose: dict[str, Any]) -> None:
    """Each lasting service is probed and restarted; the one-shot services are neither probed nor kept alive."""
    for name, service in compose["services"].items():
        if name in ONE_SHOT:
            assert service["healthcheck"] == {"disable": True}
            assert service["restart"].startswith("on-failure")
        else:
            assert service["healthcheck"]["test"][0] == "CMD"
            assert service["restart"] == "unless-stopped"


def test_roles_start_after_migrations(compose: dict[str, Any]) -> None:
    """Roles wait until both servers are healthy and the migrations have ended well."""
    for name in OUR_SERVICES:
        waits = {on: how["condition"] for on, how in compose["services"][name]["depends_on"].items()}
        servers = {"kafka": "service_healthy", "postgres": "service_healthy"}
        wanted = servers if name == "migrate" else servers | {"migrate": "service_completed_successfully"}
        assert waits == wanted


def test_ports_are_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    """Published ports are bound to the loopback address."""
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_kafka_is_the_version_that_the_tests_run(compose: dict[str, Any]) -> None:
    """The broker's image is the release that is embedded, and so tested."""
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_gpu_is_a_choice(compose: dict[str, Any]) -> None:
    """Only the `gpu` profile asks for a GPU."""
    asking = {name for name, service in compose["services"].items() if "deploy" in service}
    assert asking == {"worker-gpu"}
    assert compose["services"]["worker-gpu"]["profiles"] == ["gpu"]


def test_dashboards_are_a_choice(compose: dict[str, Any]) -> None:
    """Grafana and what it needs start with the `dashboards` profile alone, and nothing else waits for them."""
    chosen = {name for name, service in compose["services"].items() if service.get("profiles") == ["dashboards"]}
    assert chosen == {"reader", "prometheus", "grafana"}
    for name, service in compose["services"].items():
        if name not in chosen:
            assert not chosen & set(service.get("depends_on", {}))


def test_image_does_not_run_as_root() -> None:
    """The last stage of the Dockerfile drops root and uses the pinned versions."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER opinion\n" in dockerfile.split("FROM")[-1]
    assert "--constraint constraints.txt" in dockerfile


def test_constraints_pin_versions_and_nothing_else() -> None:
    """constraints.txt holds `name==version` lines: no host, no hash, not this project itself."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin) for pin in pins)
    assert not any(pin.startswith("opinion-pipeline") for pin in pins)
