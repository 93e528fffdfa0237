"""Pseudonyms: equal for equal names, under a key that is kept outside the database."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import ConfigError
from core.pseudonyms import KEY_FILE, Pseudonyms, is_pseudonym, key_id, key_in

KEY = "a key of sixteen characters or more"


def test_spellings_of_a_name_are_one_author() -> None:
    """Case, width and the sign before a handle make no other person."""
    names = Pseudonyms(KEY)
    assert names.of("@Acme") == names.of("acme ") == names.of("ＡＣＭＥ") != names.of("acme2")


def test_a_pseudonym_says_which_key_made_it_and_no_more() -> None:
    """Another key gives other pseudonyms; the name and the key stand in none."""
    one, other = Pseudonyms(KEY).of("张三"), Pseudonyms(KEY + "2").of("张三")
    assert one.split(":")[0] == key_id(KEY) != other.split(":")[0]
    assert one.split(":")[1] != other.split(":")[1]
    assert is_pseudonym(one, [key_id(KEY)])
    assert not is_pseudonym(one, [key_id("another")])
    assert not is_pseudonym("张三", [key_id(KEY)])


def test_a_short_key_is_refused() -> None:
    """A password is no key; the message says how to make one and does not repeat it."""
    with pytest.raises(ConfigError, match="6 characters are no key") as refused:
        Pseudonyms("secret")
    assert "secret" not in refused.value.message


def test_processes_that_begin_together_make_one_key(tmp_path: Path) -> None:
    """However many are started at once, all have the same key, in a file for its owner's eyes."""
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: key_in(home), range(8)))
    assert len({key for key, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [KEY_FILE]


def test_a_damaged_key_file_stops_the_start(tmp_path: Path) -> None:
    """An empty file is not taken for a key, and not written over: it may be a backup's loss."""
    (tmp_path / KEY_FILE).write_text("", encoding="ascii")
    with pytest.raises(ConfigError, match="holds no key"):
        key_in(tmp_path)
