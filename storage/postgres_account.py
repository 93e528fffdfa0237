"""Who runs the embedded PostgreSQL, and where: it refuses to run as root, so root hands it to another account."""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from core.errors import DependencyNotReadyError

ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """The account of the server process; `ids` is None when it is simply our own."""

    name: str
    ids: tuple[int, int] | None

    def can_enter(self, folder: Path) -> bool:
        """Whether every folder down to this one lets the account pass. Missing folders will be made passable."""
        return self.ids is None or all(self._may_pass(step) for step in (folder, *folder.parents) if step.exists())

    def take(self, path: Path) -> None:
        """Make the account the owner."""
        if self.ids is not None:
            os.chown(path, *self.ids)

    def _may_pass(self, folder: Path) -> bool:
        assert self.ids is not None  # noqa: S101  # `can_enter` answers for our own account
        state = folder.stat()
        if state.st_uid == self.ids[0]:
            return bool(state.st_mode & stat.S_IXUSR)
        if state.st_gid == self.ids[1]:
            return bool(state.st_mode & stat.S_IXGRP)
        return bool(state.st_mode & stat.S_IXOTH)


def account_for(data: Path) -> Account:
    """Our own account; for root, the owner of the data that exist, else `postgres`, else `nobody`.

    Raises:
        DependencyNotReadyError: root on a system that has no such account.
    """
    if os.geteuid() != 0:
        return Account("", None)
    if data.is_dir() and (owner := data.stat()).st_uid != 0:
        return Account(f"uid {owner.st_uid}", (owner.st_uid, owner.st_gid))
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, (entry.pw_uid, entry.pw_gid))
    raise DependencyNotReadyError(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody` to run it as",
        remedy="run as an ordinary user, or set OPINION_DATABASE_URL to a PostgreSQL that runs already",
    )


def stand_in(home: Path, reachable: Path) -> Path:
    """The folder under `reachable` that stands in for one under `home`; always the same for the same home."""
    return reachable / hashlib.sha256(str(home).encode()).hexdigest()[:12]
