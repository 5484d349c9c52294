"""The official image from micropython.org, when the network reaches it."""

from __future__ import annotations

import queue
import re
import shutil
import threading
import urllib.error
import urllib.request
from pathlib import Path

SITE = "https://micropython.org"
LOOK_UP_S = 5.0  # for the page that names the file; a network that refuses costs no more than this
STALL_S = 20.0  # the download goes on while bytes come at least this often


def image_address(page: str, board: str, version: str, site: str = SITE) -> str | None:
    """The address of the image on the download page of a board. The file name holds a build date, hence the look-up."""
    found = re.search(rf"/resources/firmware/{re.escape(board)}-\d{{8}}-v{re.escape(version)}\.uf2", page)
    return site + found[0] if found else None


def download(board: str, version: str, target: Path, site: str = SITE) -> str | None:
    """Fetch the official image to `target`. None when it is there, else the reason in a few words."""
    page = _page(f"{site}/download/{board}/")
    if isinstance(page, Exception):
        return _reason(page)
    address = image_address(page, board, version, site)
    if address is None:
        return f"it lists no {board} image of {version}"
    try:
        with urllib.request.urlopen(address, timeout=STALL_S) as answer, target.open("wb") as sink:
            shutil.copyfileobj(answer, sink)
    except (OSError, ValueError) as fault:
        return _reason(fault)
    return None


def _page(address: str) -> str | Exception:
    """In a thread of its own, because a name look-up knows no time limit."""
    answers: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

    def fetch() -> None:
        try:
            with urllib.request.urlopen(address, timeout=LOOK_UP_S) as answer:
                answers.put(answer.read().decode(errors="replace"))
        except Exception as fault:
            answers.put(fault)

    threading.Thread(target=fetch, daemon=True).start()
    try:
        return answers.get(timeout=LOOK_UP_S)
    except queue.Empty:
        return TimeoutError(f"no answer in {LOOK_UP_S:.0f} s")


def _reason(fault: Exception) -> str:
    reason = fault.reason if isinstance(fault, urllib.error.URLError) else fault
    return " ".join(str(reason).split()) or type(fault).__name__
