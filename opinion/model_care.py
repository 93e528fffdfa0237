"""The registry as the console works it: promote, roll back, reject, and read what lies in a model's folder."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from core.errors import NotFoundError
from core.logs import get_logger
from core.settings import Settings
from opinion.model_integrity import folder_of
from storage import model_versions
from web.i18n import Language
from web.model_care import Card

log = get_logger(__name__)

CARD_FILE: Final = "README.md"
MOST_CARD_BYTES: Final = 1_000_000
MOST_PICTURE_BYTES: Final = 4_000_000
PICTURE: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\.(svg|png)")


class RegistryCare:
    """See `web.model_care.ModelCare`. What needs scikit-learn or a broker is imported when it is asked for."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine

    def promote(self, version: str, *, reason: str, by: str) -> bool:
        from opinion.promotions import first_champion, promote

        with self._engine.begin() as connection:
            model_versions.find(connection, version)  # a page promotes what is registered, never a folder
            first_champion(connection, self._settings.models.checkpoint)
        promote(self._engine, version, reason=reason, by=by, home=self._settings.home)
        return self._announce()

    def rollback(self, *, by: str) -> bool:
        from opinion.promotions import rollback

        rollback(self._engine, to=None, by=by, home=self._settings.home)
        return self._announce()

    def reject(self, version: str, *, reason: str, by: str) -> None:
        from opinion.shadowing import reject

        reject(self._engine, version, reason=reason, by=by, now=datetime.now(UTC))

    def card(self, version: str) -> Card | None:
        folder = self._folder(version)
        content = _read(folder / CARD_FILE, MOST_CARD_BYTES) if folder else None
        if folder is None or content is None:
            return None
        pictures = sorted(path.name for path in folder.iterdir() if PICTURE.fullmatch(path.name))
        return Card(content.decode("utf-8", "replace"), tuple(pictures))

    def picture(self, version: str, name: str) -> bytes | None:
        folder = self._folder(version)
        return _read(folder / name, MOST_PICTURE_BYTES) if folder and PICTURE.fullmatch(name) else None

    def report(self, version: str, language: Language) -> str | None:
        from models.gate_record import read_record
        from models.gate_report import render

        folder = self._folder(version)
        if folder is None:
            return None
        try:
            record, examples = read_record(folder)
        except NotFoundError:
            return None
        return render(record, examples, language)

    def _folder(self, version: str) -> Path | None:
        with self._engine.connect() as connection:
            return folder_of(model_versions.find(connection, version), self._settings.home)

    def _announce(self) -> bool:
        from opinion.announcing import announce_if_possible

        return announce_if_possible(self._settings, self._engine, on_delay=lambda why: log.info("later", reason=why))


def _read(path: Path, most_bytes: int) -> bytes | None:
    """The file; None where there is none, or one that is too large for a page."""
    if not path.is_file() or path.stat().st_size > most_bytes:
        return None
    return path.read_bytes()
