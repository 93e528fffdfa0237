"""The rules file, brought into SQL whenever it changes."""

from pathlib import Path

from sqlalchemy import Engine

from alerts.rulebook.entries import definition_of, read_rules
from core.errors import ConfigError
from core.logs import get_logger
from storage import rules

log = get_logger(__name__)


class RulesFile:
    """Remembers which state of the file SQL has."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._seen: object = None

    def bring(self, engine: Engine) -> int:
        """Make its rules those that the file owns; how many changed.

        Raises:
            ConfigError: it cannot be used, or people own a rule of the same name; nothing is changed.
        """
        self._seen = self._state()
        wanted = {rule.name: definition_of(rule) for rule in read_rules(self._path)}
        with engine.begin() as connection:
            return rules.sync_file(connection, self._path, wanted)

    def catch_up(self, engine: Engine) -> None:
        """`bring` it if it is not as it was; of a bad file the log is told once, and what it said before holds.

        Raises:
            sqlalchemy.exc.DBAPIError: the database is away; the next call tries again.
        """
        before = self._seen
        if self._state() == before:
            return
        try:
            changed = self.bring(engine)
        except ConfigError as error:
            log.error("rules_file_unusable", file=str(self._path), cause=error.message)
        except Exception:
            self._seen = before
            raise
        else:
            log.info("rules_file_read", file=str(self._path), changed=changed)

    def _state(self) -> object:
        try:
            found = self._path.stat()
        except OSError as error:
            return error.errno
        return found.st_mtime_ns, found.st_size, found.st_ino
