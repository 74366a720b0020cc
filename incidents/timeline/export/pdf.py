"""PDF: the HTML export as the system's Chromium prints it, in a process of its own, with a deadline and no network."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from threading import BoundedSemaphore

from django.conf import settings

from incidents.errors import Refused
from incidents.postmortems.draft import Draft
from incidents.timeline.export import html

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-dev-shm-usage",
    "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
_turn = BoundedSemaphore(1)  # a browser takes hundreds of megabytes; one at a time in a process is enough


class NoPrinter(Refused):
    """There is no Chromium on this machine."""


class PrinterFailed(Refused):
    """Chromium did not print in time, or at all."""


def write(draft: Draft) -> bytes:
    """The document. Raises NoPrinter, PrinterFailed."""
    program = _program()
    if not _turn.acquire(timeout=settings.PDF_SECONDS):
        raise PrinterFailed("Other documents are being printed; ask again in a moment, or take the HTML.")
    try:
        return _printed(program, html.write(draft))
    finally:
        _turn.release()


def _program() -> str:
    named = [str(settings.CHROMIUM)] if settings.CHROMIUM else PROGRAMS
    found = next((path for name in named if (path := shutil.which(name))), None)
    if found is None:
        raise NoPrinter(
            "A PDF needs Chromium on the machine that serves these pages: apt-get install chromium, or set CHROMIUM "
            "to its path. The HTML export is the same document, and any browser prints it."
        )
    return found


def _printed(program: str, page: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="faultline-pdf-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "page.html").write_text(page)
        target = folder / "page.pdf"
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to run as root with it
        paths = [f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={target}", (folder / "page.html").as_uri()]
        _run([program, *ARGUMENTS, *sandbox, *paths])
        if not target.exists():
            raise PrinterFailed("Chromium printed nothing; take the HTML, and see the log of the web process.")
        return target.read_bytes()


def _run(argv: list[str]) -> None:
    """Runs it to its end, or ends it with all its children when its time is over."""
    null = subprocess.DEVNULL
    with subprocess.Popen(argv, start_new_session=True, stdin=null, stdout=null, stderr=null) as running:
        try:
            running.wait(settings.PDF_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            raise PrinterFailed(f"Chromium did not print within {settings.PDF_SECONDS:g} s; take the HTML.") from None
