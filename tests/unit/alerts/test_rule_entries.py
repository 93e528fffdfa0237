"""Rules as people write them: read, refused in words, and written again."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.detection.rules import DEFAULT_RULES, Rule
from alerts.rulebook.entries import definition_of, read_rules, rule_of, written
from core.errors import ConfigError, UsageError


def file_of(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_every_field_is_read(tmp_path: Path) -> None:
    """The largest useful rule; one value may stand without a list."""
    path = file_of(
        tmp_path,
        "rules:\n- name: 苹果 财经\n  group_by: [source, lang]\n  counted: total\n  watchlist: 苹果\n"
        "  topic: [finance, stock]\n  kind: [news]\n  threshold: 5.5\n  min_per_hour: 3\n"
        "  severity_at_least: warning\n  severity_at_most: critical\n  enabled: false\n",
    )
    assert read_rules(path) == [
        Rule(
            "苹果 财经",
            ("source", "lang"),
            "total",
            (("watchlist", ("苹果",)), ("topic", ("finance", "stock")), ("kind", ("news",))),
            threshold=5.5,
            min_per_hour=3,
            severity_at_least="warning",
            is_enabled=False,
        )
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("rules:\n- name: a\n  group: [x]\n", ':3: rules[0] ("a") group: not understood; understood are: name, gr'),
        ("rules:\n- name: a\n  group_by: [author]\n", ':3: rules[0] ("a") group_by[0]: Input should be'),
        ("rules:\n- name: a\n  group_by: [lang, lang]\n", ':3: rules[0] ("a") group_by: a value stands in it twice'),
        ("rules:\n- name: a\n  topic:\n  - ok\n  - 3\n", ':5: rules[0] ("a") topic[1]: 3 is no text; put it in quo'),
        ('rules:\n- name: a\n  topic: ["a\\tb"]\n', "topic[0]:"),
        ("rules:\n- name: a\n  sensitivity: extreme\n", ':3: rules[0] ("a") sensitivity: Input should be'),
        ("rules:\n- name: a\n  threshold: .nan\n", ':3: rules[0] ("a") threshold: '),
        ("rules:\n- name: a\n  threshold: 0\n", ':3: rules[0] ("a") threshold: '),
        ("rules:\n- name: a\n  min_per_hour: 0\n", ':3: rules[0] ("a") min_per_hour: '),
        ("rules:\n- name: a\n  threshold: 5\n  sensitivity: high\n", ':2: rules[0] ("a"): it has a sensitivity and'),
        (
            "rules:\n- name: a\n  severity_at_least: critical\n  severity_at_most: info\n",
            ':2: rules[0] ("a"): severity_at_least is more than severity_at_most',
        ),
        ("rules:\n- name: a|b\n", ':2: rules[0] ("a|b") name: a name is letters'),
        ("rules:\n- name: dead-letters\n", "is the name of a built-in watch"),
        ("rules:\n- name: a\n- name: a\n", ':3: rules[1] ("a") name: there is another rule'),
        ("rules:\n- name: a\n  enabled: 'no'\n", ':3: rules[0] ("a") enabled: '),
        ("", ":1: the file has to begin with `rules:`"),
        ("watchlists: []\n", ":1: watchlists: not understood; understood are: rules"),
        ("rules: [\n", ":2: "),
    ],
)
def test_a_bad_file_is_named_with_line_rule_and_field(tmp_path: Path, content: str, says: str) -> None:
    """Whoever wrote the file finds the place, the cause and what would be understood."""
    path = file_of(tmp_path, content)
    with pytest.raises(ConfigError) as error:
        read_rules(path)
    assert f"{path}:" in error.value.message
    assert says in error.value.message
    assert error.value.remedy


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """No traceback, and the path."""
    with pytest.raises(ConfigError, match=r"the rule file .*nothing.yaml cannot be read"):
        read_rules(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("definition", [[], "x", None, {"topic": [None]}, {"x": 1}, {"threshold": "five"}])
def test_a_definition_written_by_sql_is_refused_in_words(definition: Any) -> None:
    """SQL takes any JSON; the message names the rule."""
    with pytest.raises(UsageError, match="rule 'a'"):
        rule_of("a", definition)


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=10).filter(
    lambda word: word.strip() == word
)
VALUES = st.lists(WORDS, min_size=1, max_size=3, unique=True)
DIMENSIONS = ["watchlist", "source", "topic", "lang", "kind"]
DEFINITIONS = st.fixed_dictionaries(
    {},
    optional={
        "group_by": st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique=True),
        "counted": st.sampled_from(["negative", "total"]),
        **dict.fromkeys(DIMENSIONS, VALUES),
        "sensitivity": st.sampled_from(["high", "medium", "low"]),
        "min_per_hour": st.integers(1, 1000),
        "severity_at_least": st.sampled_from(["info", "warning"]),
        "severity_at_most": st.sampled_from(["warning", "critical"]),
        "enabled": st.booleans(),
    },
)


@given(DEFINITIONS)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, definition: dict[str, Any]) -> None:
    """Through the file and through SQL's JSON, whatever names people and crawlers use."""
    rule = rule_of("a rule", definition)
    assert rule_of("a rule", definition_of(rule)) == rule
    path = file_of(tmp_path_factory.mktemp("rules"), written([*DEFAULT_RULES, rule]))
    assert read_rules(path) == [*DEFAULT_RULES, rule]
