"""Passwords: which are good enough, and that checking one tells nobody which names there are."""

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from core.errors import UsageError
from core.passwords import Passwords, good, one_time


class Counting(Argon2Hasher):
    """Counts how often a password was really compared."""

    def __init__(self, time_cost: int = 1) -> None:
        super().__init__(time_cost=time_cost, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        self.verified += 1
        return super().verify(password, hash)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short", "too_short"),
        ("x" * 201, "too_long"),
        ("aaaaaaaaaaaaaaaa", "too_simple"),
        ("password1234", "too_simple"),
        ("王小明王小明王小明王小明王小明", "too_simple"),
        ("wang.li-1999", "too_simple"),
        ("OpinionAdmin2026", "too_simple"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str, problem: str) -> None:
    """Length counts; a name or a usual password with something added does not help."""
    with pytest.raises(UsageError, match=problem):
        good(password, "Wang.Li" if "wang" in password else "王小明")


@pytest.mark.parametrize("password", ["correct horse battery", "今天 天气 很好 我们 去 爬山"])
def test_a_few_words_are_good(password: str) -> None:
    """No class of characters is asked for; what we make up ourselves is good, too."""
    assert good(password, "li") == password
    assert good(made := one_time(), "li") == made


def test_an_unknown_name_costs_as_much_as_a_known_one() -> None:
    """One comparison either way, and never a yes where there is no account."""
    hasher = Counting()
    passwords = Passwords(PasswordHash((hasher,)))
    kept = passwords.hash("four unrelated small words")
    assert passwords.check("four unrelated small words", kept) == (True, None)
    assert passwords.check("four unrelated small words", None) == (False, None)
    assert passwords.check("wrong", kept) == (False, None)
    assert hasher.verified == 3


def test_a_hash_of_yesterdays_cost_is_renewed() -> None:
    """A login with the right password brings a new hash; a wrong one does not."""
    old = Passwords(PasswordHash((Counting(time_cost=1),))).hash("four unrelated small words")
    today = Passwords(PasswordHash((Counting(time_cost=2),)))
    is_right, renewed = today.check("four unrelated small words", old)
    assert is_right
    assert renewed
    assert renewed != old
    assert today.check("wrong", old) == (False, None)


def test_the_same_password_may_be_typed_otherwise_composed() -> None:
    """A keyboard that sends a letter and its accent apart is understood."""
    passwords = Passwords(PasswordHash((Counting(),)))
    assert passwords.check("Cafe\u0301 au lait, s'il", passwords.hash("Caf\u00e9 au lait, s'il"))[0]
