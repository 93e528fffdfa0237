"""Node.js with the packages of the example, kept between runs as the jars are."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "kafkajs"
KEPT = ROOT / "var" / "node" / "kafkajs"


def kafkajs_example() -> Path:
    """A folder with the example and what it needs; the test is skipped where that cannot be had."""
    if not shutil.which("node") or not (npm := shutil.which("npm")):
        pytest.skip("no Node.js: apt install nodejs npm")
    lock = (EXAMPLE / "package-lock.json").read_bytes()
    is_installed = (KEPT / "node_modules" / "kafkajs").exists() and (KEPT / "installed.json").exists()
    KEPT.mkdir(parents=True, exist_ok=True)
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, KEPT / path.name)
    if not is_installed or (KEPT / "installed.json").read_bytes() != lock:
        options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            [npm, "ci", *options], cwd=KEPT, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            pytest.skip(f"npm cannot install kafkajs: {(done.stderr or done.stdout).strip()[-300:]}")
        (KEPT / "installed.json").write_bytes(lock)
    return KEPT
