"""`python -m tests.browser.pictures_operations FOLDER` draws operations and models over made-up figures."""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import Engine

from core.clock import MovableClock
from core.settings import Settings
from opinion.model_care import RegistryCare
from opinion.promotions import first_champion
from storage import drift_checks, job_runs, model_versions, offset_ledger, training_runs, worker_models
from storage.drift_checks import DriftRow
from storage.job_runs import JobRun
from storage.offset_ledger import LedgerLine
from tests.browser.pictures import database
from tests.support.consoles import chromium_browser, serving
from tests.support.records import START, row
from tests.support.rows import store_rows
from web.app import create_app
from web.operating import Backlog, Letter, LetterLine, Letters, LetterTopic, PartitionBacklog, Redrive

NOW = START + timedelta(hours=2)
PAGES = {
    "operations": "/operations",
    "letters": "/operations/letters",
    "letter": "/operations/letters/raw/0:17",
    "models": "/models",
    "model": "/models/versions/{champion}",
}
HOSTILE = "<script>alert(1)</script>\u202e" + "长" * 300


class StandingStill:
    """A broker's answers that do not move."""

    def backlog(self) -> Backlog:
        return Backlog(
            "opinion.document.raw.v1", "opinion-pipeline", [PartitionBacklog(n, 9000, 8990, 10) for n in range(8)]
        )

    def letters(self, topic: LetterTopic, reason: str | None) -> Letters:
        lines = [self._line(n) for n in range(17, 9, -1)]
        return Letters(lines, {"bad_json": 5, "too_large": 3}, 8, 8)

    def letter(self, topic: LetterTopic, letter_id: str) -> Letter:
        return Letter(self._line(17), "k", [("own", "1")], 40, '{"id": "weibo:1", "text": ' + "x" * 600)

    def redrive(self, topic: LetterTopic, *, only: str | None, reason: str | None, most: int) -> Redrive:
        return Redrive(1, 0, 0, "")

    def _line(self, nth: int) -> LetterLine:
        reason = "bad_json" if nth % 2 else "too_large"
        detail = HOSTILE if nth == 14 else "text: Expected `str`, got `int`"
        return LetterLine(f"0:{nth}", NOW, reason, f"opinion.document.raw.v1/0@{nth}", detail, nth == 12)


def fill(engine: Engine) -> dict[str, str]:
    """An hour of records, jobs, a champion, a run and some weeks of drift; returns the pages to look at."""
    store_rows(
        engine,
        [
            row(f"d{n}", n, source=("weibo", "新浪财经", HOSTILE)[n % 3], published_at=NOW - timedelta(minutes=n))
            for n in range(60)
        ],
    )
    with engine.begin() as connection:
        lines = [
            LedgerLine(
                "opinion.document.raw.v1",
                1,
                300 * n,
                300 * n + 199 + n % 7 * 10,
                190 + n % 7 * 10,
                5,
                3,
                2,
                NOW - timedelta(minutes=60 - n),
            )
            for n in range(60)
        ]
        offset_ledger.write_lines(connection, lines)
        names = ("detect", "tell", "deliver", "audit", "drift", "retention", "search_index")
        runs = [JobRun(one, 60, NOW - timedelta(seconds=20), NOW, "done", 0.2, 120) for one in names]
        failed = JobRun(
            "feeds", 5, NOW - timedelta(seconds=3), NOW, "failed", 1.4, 90, 2, f"ConnectError: {HOSTILE}", NOW
        )
        job_runs.keep(connection, [*runs, failed])
        champion = first_champion(connection, "starter").version
        model_versions.register(
            connection, "20260501-1a2b3c4d", "gone", origin="retrain", parent=champion, training_run=1
        )
        worker_models.report(connection, "worker-1", version=champion, wanted=champion, error=None)
        run = training_runs.start(
            connection, champion=champion, last_label_id=1, trigger="labels", trigger_reason="200 new"
        )
        training_runs.finish(
            connection, run, reasons=["refused: en fell by 2.1 points"], candidate="20260501-1a2b3c4d"
        )
        drift_checks.add(connection, list(_drift(champion)))
    return {name: path.format(champion=champion) for name, path in PAGES.items()}


def _drift(version: str) -> Sequence[DriftRow]:
    def check(day: int, measure: str, effect: float, threshold: float) -> DriftRow:
        at = NOW - timedelta(days=20 - day)
        spans = {"reference_from": at, "reference_until": at, "reference_documents": 2000}
        spans |= {"current_from": at, "current_until": at, "current_documents": 1000}
        return DriftRow(at, version, "all", "", measure, effect, threshold, is_drifted=False, **spans, detail={})  # type: ignore[arg-type]

    return [
        check(day, measure, base + step * day, bound)
        for measure, base, step, bound in (
            ("text", 0.5, 0.012, 0.6),
            ("length", 0.05, 0.001, 0.1),
            ("embedding", 0.2, 0.0, 0.4),
        )
        for day in range(20)
    ]


def draw(folder: Path, engine: Engine, browser: Browser, now: datetime = NOW) -> None:
    """`PAGE.png` in English and light, `PAGE-zh.png` in Chinese and dark, `PAGE-phone.png`."""
    pages = fill(engine)
    care = RegistryCare(Settings(), engine)
    app = create_app(engine, clock=MovableClock(now), model_care=care, operations=StandingStill())
    looks = {
        "": {"locale": "en-US", "viewport": {"width": 1360, "height": 900}},
        "-zh": {"locale": "zh-CN", "color_scheme": "dark", "viewport": {"width": 1360, "height": 900}},
        "-phone": {"locale": "zh-CN", "viewport": {"width": 390, "height": 844}},
    }
    with serving(app) as url:
        for look, options in looks.items():
            context = browser.new_context(**options)  # type: ignore[arg-type]
            page = context.new_page()
            for name, path in pages.items():
                page.goto(f"{url}{path}")
                page.wait_for_load_state("networkidle")
                page.screenshot(path=folder / f"{name}{look}.png", full_page=True)
            context.close()


if __name__ == "__main__":
    with database() as engine, chromium_browser() as browser:
        assert browser is not None, "no Chromium here"
        draw(Path(sys.argv[1]), engine, browser)
