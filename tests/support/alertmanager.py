"""A real Alertmanager on loopback, where its binary is installed (`apt-get install prometheus-alertmanager`)."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_for

CONFIG = {
    "route": {"receiver": "hook", "group_wait": "0s", "group_interval": "1s", "group_by": ["..."]},
    "receivers": [{"name": "hook", "webhook_configs": []}],
}


@contextmanager
def running(folder: Path, hook_url: str) -> Iterator[str]:
    """Its URL; whatever fires there is told to the hook, and that it has ended, too."""
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if binary is None:
        pytest.skip("there is no prometheus-alertmanager")
    config = json.loads(json.dumps(CONFIG))
    config["receivers"][0]["webhook_configs"] = [{"url": hook_url, "send_resolved": True}]
    (folder / "am.yml").write_text(json.dumps(config))  # JSON is YAML
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "am.log").open("wb") as log:
        process = subprocess.Popen(
            [binary, f"--config.file={folder / 'am.yml'}", f"--storage.path={folder / 'am'}",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client() as client:
            wait_for(lambda: client.get(f"{url}/-/ready").status_code == 200, 20, f"{folder / 'am.log'} to be ready")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def alerts_of(url: str) -> list[dict[str, Any]]:
    """What is firing there now."""
    with httpx.Client() as client:
        found: list[dict[str, Any]] = client.get(f"{url}/api/v2/alerts").raise_for_status().json()
    return found
