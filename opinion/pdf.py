"""HTML to PDF by a headless Chromium, in a process of its own with a time limit. It reaches no network."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from core.errors import DependencyNotReadyError, OpinionError

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY: Final = "apt install chromium, or set OPINION_REPORTS__CHROMIUM; --format html needs none"
ARGUMENTS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-pdf-header-footer",
)
SECONDS: Final = 60.0
MOST_SAID: Final = 300


def program(configured: Path | None) -> Path:
    """The browser to use.

    Raises:
        DependencyNotReadyError: there is none.
    """
    found = shutil.which(str(configured)) if configured else next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise DependencyNotReadyError("a PDF needs Chromium, and there is none here", remedy=REMEDY)
    return Path(found)


def pdf_of(html: str, chromium: Path, *, seconds: float = SECONDS) -> bytes:
    """The print of a self-contained page. Blocks for a second or two.

    Raises:
        OpinionError: the browser failed, or took longer than `seconds`.
    """
    with tempfile.TemporaryDirectory(prefix="opinion-pdf-") as folder:
        page, printed = Path(folder, "report.html"), Path(folder, "report.pdf")
        page.write_text(html, encoding="utf-8")
        # Chromium's own sandbox does not start for root; what it opens is our page, whose policy lets no script run.
        root = ("--no-sandbox",) if os.geteuid() == 0 else ()
        files = (f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}", page.as_uri())
        running = subprocess.Popen(
            [str(chromium), *ARGUMENTS, *root, *files],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, said = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise OpinionError(f"Chromium took longer than {seconds:g} s for a PDF") from error
        finally:
            _end(running)
        if not printed.is_file():
            raise OpinionError(f"Chromium made no PDF: {said.decode(errors='replace').strip()[-MOST_SAID:]}")
        return printed.read_bytes()


def _end(running: "subprocess.Popen[bytes]") -> None:
    """The browser and whatever it has started."""
    try:
        os.killpg(running.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        running.wait()
