"""Passwords: which are good enough, how they are kept, and the one-time ones that this product makes.

Argon2id by pwdlib with its recommended cost. The rules are those of NIST SP 800-63B: length counts, classes of
characters do not, and what anybody would guess first is refused.
"""

import secrets
import threading
import unicodedata
from functools import cached_property
from typing import Final

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

from core.errors import DependencyNotReadyError, UsageError

LEAST_CHARS: Final = 12
MOST_CHARS: Final = 200
LEAST_DIFFERENT: Final = 5
GUESSED: Final = ("password", "opinion", "qwerty", "123456", "admin", "letmein")
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read as another: no i, l, o, 0, 1
GROUPS, GROUP_CHARS = 4, 5  # 20 of 31 characters: 99 bits
AT_ONCE: Final = 2  # each takes 64 MB and a core for a twentieth of a second
WAIT_SECONDS: Final = 5.0


class Passwords:
    """Hashes and checks; at most `AT_ONCE` at a time, so that a flood of logins cannot take the memory."""

    def __init__(self, hasher: PasswordHash | None = None) -> None:
        self._hasher = hasher or PasswordHash.recommended()
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        """What is kept of it. Blocks for a twentieth of a second."""
        with _Held(self._room):
            return self._hasher.hash(_normal(password))

    def check(self, password: str, kept: str | None) -> tuple[bool, str | None]:
        """Whether it is the one; and a new hash where the kept one was made with less cost than today's.

        Takes as long where there is nothing to check against, so that time does not tell which names exist.

        Raises:
            DependencyNotReadyError: too many others are being checked.
        """
        with _Held(self._room):
            nobody = self._nobody  # before the first check of all, whatever that is of
            try:
                is_right, renewed = self._hasher.verify_and_update(_normal(password), kept or nobody)
            except UnknownHashError:
                return False, None
        return is_right and kept is not None, renewed if kept else None

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash(one_time())


class _Held:
    def __init__(self, room: threading.BoundedSemaphore) -> None:
        self._room = room

    def __enter__(self) -> None:
        if not self._room.acquire(timeout=WAIT_SECONDS):
            raise DependencyNotReadyError("too many passwords are being checked", remedy="try again in a moment")

    def __exit__(self, *_: object) -> None:
        self._room.release()


def one_time() -> str:
    """A password to be given once and changed at the first login, easy to read out."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARS)) for _ in range(GROUPS))


def good(password: str, name: str) -> str:
    """The password, if it is good enough for this person.

    Raises:
        UsageError: what is wrong with it, as one of `too_short`, `too_long`, `too_simple`.
    """
    normal = _normal(password)
    if len(normal) < LEAST_CHARS:
        raise UsageError("too_short", remedy=f"at least {LEAST_CHARS} characters")
    if len(normal) > MOST_CHARS:
        raise UsageError("too_long", remedy=f"at most {MOST_CHARS} characters")
    rest = normal.casefold()
    for guess in (*GUESSED, _normal(name).casefold()):
        rest = rest.replace(guess, "") if guess else rest
    if len(set(normal)) < LEAST_DIFFERENT or len(rest) < LEAST_CHARS // 2:
        raise UsageError("too_simple", remedy="not a name or a usual password with something added")
    return password


def _normal(password: str) -> str:
    """The same password however a keyboard composes it."""
    return unicodedata.normalize("NFKC", password)
