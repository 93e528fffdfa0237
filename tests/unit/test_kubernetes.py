"""The Kubernetes manifests and alert rules name what exists, and follow Kubernetes' own schemas."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from core import metrics
from core.settings import Settings
from opinion.cli import app
from streams import topics
from streams.stopping import STOP_SECONDS
from tests.unit.test_deploy import known_variables

DEPLOY = Path(__file__).parents[2] / "deploy"
BASE = DEPLOY / "k8s"
ROLES = ("worker", "scheduler", "web")


def manifests(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


KUSTOMIZATION = manifests(BASE / "kustomization.yaml")[0]
OBJECTS = {
    (one["kind"], one["metadata"]["name"]): one
    for name in KUSTOMIZATION["resources"]
    for one in manifests(BASE / name)
}
WORKLOADS = [*(("Deployment", role) for role in ROLES), ("Job", "migrate")]
RULES = manifests(DEPLOY / "prometheus" / "alerts.yml")[0]["groups"][0]["rules"]


def pod(kind: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = OBJECTS[kind, name]["spec"]["template"]["spec"]
    return spec


def container(kind: str, name: str) -> dict[str, Any]:
    [only] = pod(kind, name)["containers"]
    return dict(only)


@pytest.mark.parametrize("path", sorted(BASE.glob("*.yaml")), ids=lambda path: path.name)
def test_manifests_follow_the_schema(path: Path) -> None:
    """Every object is valid by Kubernetes' own schema, and has no field that Kubernetes does not know."""
    if path.name == "kustomization.yaml":
        assert {name for name in KUSTOMIZATION["resources"] if not (BASE / name).is_file()} == set()
        return
    for one in manifests(path):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_every_variable_is_a_setting() -> None:
    """Configuration and secret name real settings; the secret's example holds no secret."""
    [secret] = manifests(BASE / "secret.example.yaml")
    config = OBJECTS["ConfigMap", "opinion"]["data"]
    used = {name for name in (*config, *secret["stringData"]) if name.startswith("OPINION_")}
    assert used <= known_variables(Settings, "OPINION_")
    assert set(secret["stringData"].values()) == {""}
    assert not [name for name in config if re.search("PASSWORD|SECRET|DATABASE_URL|APPRISE", name)]


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_workloads_refer_to_what_exists(kind: str, name: str) -> None:
    """Image, commands, settings, secret and volumes of a role are those of this product and kustomization."""
    main = container(kind, name)
    assert main["image"] == KUSTOMIZATION["images"][0]["name"]
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {group.name or "" for group in app.registered_groups}
    assert set(re.findall(r"opinion (\w+)", " ".join(main["command"]))) <= commands
    assert main["envFrom"] == [{"configMapRef": {"name": "opinion"}}, {"secretRef": {"name": "opinion-secrets"}}]
    mounted = {mount["name"] for mount in main["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod(kind, name)["volumes"]}
    assert mounted == set(volumes)
    if "home" in volumes:
        assert ("PersistentVolumeClaim", volumes["home"]["persistentVolumeClaim"]["claimName"]) in OBJECTS
        [home] = [mount["mountPath"] for mount in main["volumeMounts"] if mount["name"] == "home"]
        assert home == OBJECTS["ConfigMap", "opinion"]["data"]["OPINION_HOME"]


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_nothing_runs_as_root(kind: str, name: str) -> None:
    """Pods run as the image's user, without privileges, on a root file system that they cannot write."""
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text(encoding="utf-8")
    security = pod(kind, name)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert f"--uid {security['runAsUser']} " in dockerfile
    own = container(kind, name)["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert container(kind, name)["resources"]["limits"]["memory"]


@pytest.mark.parametrize("role", ROLES)
def test_probes(role: str) -> None:
    """Readiness asks /readyz; life is asked for by /healthz only, so that no outage restarts anything."""
    main = container("Deployment", role)
    [port] = main["ports"]
    data = OBJECTS["ConfigMap", "opinion"]["data"]
    setting = "OPINION_WEB__PORT" if role == "web" else f"OPINION_{role.upper()}__PROBES_PORT"
    assert data[setting] == str(port["containerPort"])
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert main[probe]["httpGet"] == {"path": path, "port": port["name"]}
    annotations = OBJECTS["Deployment", role]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


@pytest.mark.parametrize("role", ROLES)
def test_selectors_find_their_pods(role: str) -> None:
    """Deployment, disruption budget and service select the labels that the pods have."""
    deployment = OBJECTS["Deployment", role]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    for kind in ("PodDisruptionBudget", "Service"):
        if (kind, role) in OBJECTS:
            selector = OBJECTS[kind, role]["spec"]["selector"]
            assert selector.get("matchLabels", selector) == labels
    assert pod("Deployment", role)["terminationGracePeriodSeconds"] > STOP_SECONDS + 5


def test_scaling_follows_our_topic_and_group() -> None:
    """The example for KEDA watches the raw topic and the workers' group, up to the number of partitions."""
    [keda] = manifests(BASE / "examples" / "keda.yaml")
    config, settings = OBJECTS["ConfigMap", "opinion"]["data"], Settings()
    told = keda["spec"]["triggers"][0]["metadata"]
    assert told["topic"] == topics.RAW
    assert told["consumerGroup"] == settings.group
    assert told["bootstrapServers"] == config["OPINION_KAFKA_BOOTSTRAP"]
    assert str(keda["spec"]["maxReplicaCount"]) == config["OPINION_KAFKA__PARTITIONS"]
    assert ("Deployment", keda["spec"]["scaleTargetRef"]["name"]) in OBJECTS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_rules_name_metrics_that_exist(rule: dict[str, Any]) -> None:
    """Each rule is over our metrics, with a severity and a sentence, and is explained in docs/."""
    declared = [metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)]
    families = [family for metric in declared for family in metric.describe()]
    known = {one.name + ("_total" if one.type == "counter" else "") for one in families}
    used = set(re.findall(r"\bopinion_\w+", rule["expr"]))
    assert used
    assert used <= known
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    guide = DEPLOY.parent / "docs" / "how-to" / "watch-the-pipeline.md"
    assert f"`{rule['alert']}`" in guide.read_text(encoding="utf-8")
