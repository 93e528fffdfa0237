from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.watchlist_file import load_watchlists, read_watchlists
from core.watchlist_file import written as written_file
from core.watchlists import Span, Watchlist


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "watch.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    """The smallest useful file."""
    path = written(tmp_path, "watchlists:\n  - name: 苹果\n    any: [苹果公司, Apple]\n")
    assert load_watchlists(path).find("Apple") == {"苹果": [Span(0, 5)]}


def test_no_file_watches_nothing() -> None:
    """Without the setting there is nothing to find."""
    assert load_watchlists(None).find("anything") == {}


def test_every_field_is_read(tmp_path: Path) -> None:
    """The largest useful entry."""
    path = written(
        tmp_path,
        "watchlists:\n- name: 苹果\n  any: [苹果]\n  must: [发布]\n  exclude: [苹果汁]\n  query: '新品 或 手机'\n"
        "  sources: [weibo]\n  langs: [zh]\n",
    )
    assert read_watchlists(path) == [
        Watchlist("苹果", ("苹果",), ("发布",), ("苹果汁",), "新品 或 手机", ("weibo",), ("zh",))
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("watchlists:\n- name: a\n  any: [x]\n  words: [y]\n", ':4: watchlists[0] ("a") words: not understood'),
        ("watchlists:\n- name: a\n  any: [x]\n  words: [y]\n", "understood are: name, any, must, exclude, query"),
        ("lists: []\n", ":1: lists: not understood; understood are: watchlists"),
        ("watchlists:\n- name: a\n", ':2: watchlists[0] ("a"): there is nothing to look for: it needs `any`'),
        ("watchlists:\n- any: [x]\n", ":2: watchlists[0] name: Field required"),
        ("watchlists:\n- name: a\n  any: []\n", ':2: watchlists[0] ("a"): there is nothing to look for'),
        ("watchlists:\n- name: a\n  any: x\n", ':3: watchlists[0] ("a") any: Input should be a valid list'),
        ("watchlists:\n- name: a\n  any: ['ok', ' ']\n", ':3: watchlists[0] ("a") any[1]: '),
        ("watchlists:\n- name: a\n  any:\n  - 'ok'\n  - 360\n", ':5: watchlists[0] ("a") any[1]: 360 is no text'),
        ("watchlists:\n- name: a\n  any: [x]\n  query: 'b AND'\n", ':4: watchlists[0] ("a") query: not understood:'),
        ("watchlists:\n- name: a\n  query: NOT b\n", ":2: watchlists[0] (\"a\"): query 'NOT b' holds where nothing"),
        (
            "watchlists:\n- name: a\n  query: b OR NOT c\n",
            ":2: watchlists[0] (\"a\"): query 'b OR NOT c' holds where",
        ),
        (
            "watchlists:\n- name: a\n  any: [x]\n  must: ['\\ty']\n  langs: [1]\n",
            ':5: watchlists[0] ("a") langs[0]: 1',
        ),
        (
            "watchlists:\n- name: a\n  any: [x]\n- name: a\n  any: [y]\n",
            ':4: watchlists[1] ("a") name: there is another',
        ),
        ("watchlists: [\n", ":2: "),
        ("", ":1: the file has to begin with `watchlists:`"),
        ("- a\n", ":1: the file has to begin with `watchlists:`"),
    ],
)
def test_a_bad_file_is_named_with_line_entry_and_field(tmp_path: Path, content: str, says: str) -> None:
    """Whoever wrote the file finds the place, and what would be understood there."""
    path = written(tmp_path, content)
    with pytest.raises(ConfigError) as error:
        load_watchlists(path)
    assert f"{path}:" in str(error.value)
    assert says in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A wrong path in the settings stops the start."""
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        load_watchlists(tmp_path / "nowhere.yaml")


SPOKEN = st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable() and text.strip() == text)
WORDS = st.lists(SPOKEN, max_size=3).map(tuple)


@given(st.lists(st.tuples(SPOKEN, SPOKEN, WORDS, WORDS), max_size=4, unique_by=lambda entry: entry[0]))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]
) -> None:
    """A written file is the same watchlists, whatever characters are in their names and words."""
    watchlists = [Watchlist(name, (word,), must, exclude) for name, word, must, exclude in entries]
    path = tmp_path_factory.mktemp("written") / "watch.yaml"
    path.write_text(written_file(watchlists), encoding="utf-8")
    assert read_watchlists(path) == watchlists
