"""What people wrote by hand names files, commands and targets that exist."""

import re
from pathlib import Path

import pytest

from opinion import docs

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
COMMANDS = set(re.findall(r"^## (opinion [a-z -]+)$", docs.commands_page(), re.MULTILINE))
GROUPS = {" ".join(command.split()[:2]) for command in COMMANDS}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of a page is a file of the repository."""
    page = ROOT / name
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist(name: str) -> None:
    """Every `opinion …` and `make …` that a page writes as code can be typed."""
    text = (ROOT / name).read_text(encoding="utf-8")
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^ *(?:\$ )?((?:opinion|make) .*)$", text, re.MULTILINE)
    unknown = []
    for line in code:
        for group in re.findall(r"^opinion ([a-z]+)", line):
            if f"opinion {group}" not in GROUPS:
                unknown.append(line)
        for target in re.findall(r"^make ([a-z-]+)$", line):
            if target not in TARGETS:
                unknown.append(line)
    assert unknown == []


def test_every_page_is_reachable() -> None:
    """Each page under docs/ is linked from another page or the README."""
    linked = set()
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            linked.add((page.parent / link).resolve())
    lost = [page for page in PAGES if page.is_relative_to(ROOT / "docs") and page.resolve() not in linked]
    assert [str(page.relative_to(ROOT)) for page in lost] == []


def test_the_program_points_at_pages_that_exist() -> None:
    """Pages named in the program's own messages and comments exist."""
    packages = ("core", "streams", "models", "storage", "alerts", "web", "opinion")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    named = {name for path in sources for name in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
