"""Authors as pseudonyms: equal for equal names, and nobody gets from one to the name without the key."""

import hashlib
import hmac
import os
import secrets
import tempfile
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from core.errors import ConfigError

KEY_FILE: Final = "author.key"
FEWEST_KEY_CHARS: Final = 16
KEY_ID_CHARS: Final = 8
PSEUDONYM_CHARS: Final = 32  # 128 bits


class Pseudonyms:
    """Makes pseudonyms under one key and finds those made under former ones. Immutable.

    A pseudonym is `<key id>:<32 hexadecimal digits>`. The id says which key made it and nothing about the key.
    """

    def __init__(self, key: str, former: Sequence[str] = (), listed: Collection[str] = ()) -> None:
        """Args:
        listed: pseudonyms on the opt-out list. A person who is listed under a former key keeps that pseudonym, so
            that changing the key lets nobody's objection lapse.

        Raises:
            ConfigError: a key is too short to be one.
        """
        for one in (key, *former):
            if len(one) < FEWEST_KEY_CHARS:
                raise ConfigError(
                    f"privacy.author_key: {len(one)} characters are no key, {FEWEST_KEY_CHARS} are needed",
                    remedy="make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
                )
        self._keys = [one.encode() for one in (key, *former)]
        self._ids = [key_id(one) for one in (key, *former)]
        self._listed = frozenset(listed)
        self._has_listed = [any(name.startswith(f"{one}:") for name in listed) for one in self._ids]

    @property
    def key_id(self) -> str:
        """Of the key in use."""
        return self._ids[0]

    def of(self, author: str) -> str:
        """The pseudonym that is stored."""
        name = _spelt(author)
        for place in range(1, len(self._keys)):
            if self._has_listed[place] and (former := self._make(place, name)) in self._listed:
                return former
        return self._make(0, name)

    def all_of(self, author: str) -> list[str]:
        """The pseudonyms under every key, the present one first."""
        name = _spelt(author)
        return [self._make(place, name) for place in range(len(self._keys))]

    def _make(self, place: int, name: bytes) -> str:
        digest = hmac.digest(self._keys[place], name, "sha256").hex()
        return f"{self._ids[place]}:{digest[:PSEUDONYM_CHARS]}"


def key_id(key: str) -> str:
    """A short name for a key; telling the key from it is as hard as guessing the key."""
    return hashlib.sha256(b"opinion author key\x00" + key.encode()).hexdigest()[:KEY_ID_CHARS]


def is_pseudonym(author: str, ids: Collection[str]) -> bool:
    """Whether it was made under one of these keys."""
    begin, colon, rest = author.partition(":")
    return bool(colon) and begin in ids and len(rest) == PSEUDONYM_CHARS


def key_in(home: Path) -> tuple[str, bool]:
    """The key that is kept under `home`, made now if there is none; and whether it was made now.

    Several processes that begin together get the same key.

    Raises:
        ConfigError: the file cannot be read or written, or holds no key.
    """
    path = home / KEY_FILE
    try:
        is_new = not path.exists() and _make_file(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the key for authors cannot be kept in {path}: {error}", remedy="set OPINION_PRIVACY__AUTHOR_KEY instead"
        ) from error
    if len(key) < FEWEST_KEY_CHARS:
        raise ConfigError(f"{path} holds no key", remedy="put the key back from your backup, or remove the file")
    return key, is_new


def _make_file(path: Path) -> bool:
    """Put a new key there unless somebody else was faster: the file is complete from its first moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        Path(draft).unlink()
    return True


def _spelt(author: str) -> bytes:
    """One spelling for what people take for one name: "@Acme", "acme" and "ＡＣＭＥ"."""
    return unicodedata.normalize("NFKC", author).strip().lstrip("@").casefold().encode("utf-8", "replace")
