"""Puts the firmware on a board with the real mpremote: looks, plans, copies what differs, verifies, starts it."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MPREMOTE = Path(sys.executable).with_name("mpremote")
NATIVE_MODULES = ("metering", "pulses", "telegram")
OUR_FOLDERS = ("shared", "meter")  # on the board these hold nothing but ours: what is not in the plan goes
AS_TEXT = ("/boot.py", "/main.py", "/pins.py")  # the first two run by name, the last is there to be edited on the board
LOOKED_INTO = (*OUR_FOLDERS, "lib")
OLDEST_MICROPYTHON = (1, 24, 0)  # rp2.DMA, vfs.mount() that tells the file system, and .mpy 6.3
ARCHITECTURES = {4: "armv6m", 7: "armv7emsp"}  # sys.implementation._mpy >> 10; MicroPython's py/persistentcode.h
NATIVE_FORMAT = 0x306  # .mpy version 6, native sub-version 3: sys.implementation._mpy & 0x3ff
ANSWER_TIMEOUT_S = 60
LOOK_TIMEOUT_S = 30  # an emulated board on a busy machine takes some seconds
COPY_TIMEOUT_S = 600
PROMPT_TRIES = 2
BLOCK_BYTES = 4096

EXAMPLES = """examples:
  ./flash.sh                  the only board that is plugged in
  ./flash.sh /dev/ttyACM0     this one
  ./flash.sh --source         copy .py instead of compiled files, to change them on the board itself
  ./flash.sh --erase          format the board's file system first (everything on it is lost)

exit codes: 0 done (also when nothing had to be copied), 1 the board could not be flashed, 2 wrong arguments"""

# Runs on the board. One line of JSON; what can't be told is null.
LOOK = """
import sys, os, json, hashlib
def digest(path):
    h, buffer = hashlib.sha256(), bytearray(512)
    with open(path, "rb") as f:
        while True:
            n = f.readinto(buffer)
            if not n:
                return h.digest().hex()
            h.update(memoryview(buffer)[:n])
def walk(folder, found):
    for entry in os.ilistdir(folder):
        path = folder + "/" + entry[0]
        if entry[1] == 0x4000:
            if folder == "" and entry[0] in FOLDERS:
                walk(path, found)
        else:
            found[path] = (entry[3], digest(path)) if path in PLANNED else (entry[3], "")
    return found
answer = {"name": sys.implementation.name, "version": sys.implementation.version[:3],
          "mpy": getattr(sys.implementation, "_mpy", 0), "machine": getattr(sys.implementation, "_machine", sys.platform)}
try:
    import vfs
    roots = [type(m[0]).__name__ for m in vfs.mount() if m[1] == "/"]
    answer["filesystem"] = roots[0] if roots else None
except (ImportError, TypeError):
    answer["filesystem"] = ""
try:
    s = os.statvfs("/")
    answer["free"] = s[0] * s[4]
    answer["files"] = walk("", {})
except OSError as error:
    answer["error"] = str(error)
print("LOOK " + json.dumps(answer))
"""

ERASE = "import vfs, rp2; vfs.umount('/'); vfs.VfsLfs2.mkfs(rp2.Flash(), progsize=256); print('ERASED')"


class FlashError(Exception):
    """The board could not be flashed; the text says why and names the remedy."""


@dataclass(frozen=True, slots=True)
class BoardState:
    """What the board told of itself: files maps path to (bytes, sha256 hex or '' when not ours)."""

    version: tuple[int, ...]
    architecture: str
    machine: str
    free_bytes: int
    files: dict[str, tuple[int, str]]


def run_mpremote(port: str, *words: str, timeout_s: int) -> str:
    """Output of one mpremote call. Raises FlashError with the remedy for what commonly goes wrong."""
    command = [MPREMOTE, "connect", port, *words]
    try:
        for _ in range(PROMPT_TRIES):
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, errors="replace")
            if "could not enter raw repl" not in done.stdout + done.stderr:
                break  # else it may just be starting up and not listening yet
    except subprocess.TimeoutExpired as error:
        raise FlashError(
            f"{port} did not answer within {timeout_s} s. Is it a Pico that runs MicroPython? Unplug it, plug it in again "
            "and retry; without MicroPython hold BOOTSEL while plugging in and copy the image of `tools/firmware` onto it."
        ) from error
    if done.returncode == 0:
        return done.stdout
    said = (done.stdout + done.stderr).strip()
    raise FlashError(explain(port, said))


def explain(port: str, said: str) -> str:
    """A sentence with the remedy for what mpremote said."""
    low = said.lower()
    if "failed to access" in low or "in use" in low or "could not exclusively lock" in low:
        return (
            f"{port} is in use or not yours: stop the bridge or terminal that has it open, or join the group dialout."
        )
    if "no device found" in low or "could not open port" in low:
        return no_port(port)
    if "raw repl" in low:
        return (
            f"{port} does not give a MicroPython prompt. Hold BOOTSEL while plugging in and copy the image of "
            "`tools/firmware` onto the drive that appears, then run ./flash.sh again."
        )
    if "enospc" in low or "oserror: 28" in low or "errno 28" in low:
        return "the board's file system is full: remove files of yours (mpremote fs ls), or use ./flash.sh --erase."
    return f"mpremote failed on {port}:\n{said}"


def no_port(port: str) -> str:
    """The message for a port that is not there."""
    return (
        f"there is no {port}. Is the board plugged in, with a cable that carries data and not only power? "
        "`.venv/bin/mpremote devs` lists the ports."
    )


def find_port(wanted: str | None) -> str:
    """The port to use: the wanted one when it exists, else the only Pico that is plugged in."""
    if wanted is not None:
        if not Path(wanted).exists():
            raise FlashError(no_port(wanted))
        if not os.access(wanted, os.R_OK | os.W_OK):
            raise FlashError(
                f"{wanted} is not yours: join its group (sudo usermod -aG dialout $USER) and log in again."
            )
        return wanted
    from serial.tools import list_ports

    picos = [port.device for port in list_ports.comports() if port.vid == 0x2E8A]
    if not picos:
        raise FlashError(no_port("Pico on any USB port"))
    if len(picos) > 1:
        raise FlashError(f"several boards are plugged in: {', '.join(picos)}. Name one: ./flash.sh {picos[0]}")
    return picos[0]


def look(port: str, planned: list[str]) -> BoardState:
    """Ask the board what it is and what it holds; FlashError when it can't run the firmware."""
    script = f"PLANNED = {planned!r}\nFOLDERS = {LOOKED_INTO!r}\n{LOOK}"
    output = run_mpremote(port, "exec", script, timeout_s=LOOK_TIMEOUT_S)
    lines = [line for line in output.splitlines() if line.startswith("LOOK ")]
    if not lines:
        raise FlashError(
            f"{port} gave no answer that makes sense: {output.strip()[-200:]!r}. Reset the board and retry."
        )
    return judge(json.loads(lines[-1].removeprefix("LOOK ")))


def judge(answer: dict) -> BoardState:
    """The board's answer as a state; FlashError when its MicroPython, chip or file system won't do."""
    version = tuple(answer["version"])
    shown = ".".join(map(str, version))
    need = ".".join(map(str, OLDEST_MICROPYTHON))
    if answer["name"] != "micropython":
        raise FlashError(f"the board runs {answer['name']} {shown}, not MicroPython: see docs/building.md.")
    if version < OLDEST_MICROPYTHON:
        raise FlashError(
            f"the board's MicroPython {shown} is too old, {need} or newer is needed: hold BOOTSEL while plugging in and "
            "copy the image of `tools/firmware` onto the drive that appears."
        )
    architecture = ARCHITECTURES.get(answer["mpy"] >> 10)
    if architecture is None:
        raise FlashError(f"{answer['machine']} is neither a Pico nor a Pico 2: there is no native module for it.")
    if answer["mpy"] & 0x3FF != NATIVE_FORMAT:
        raise FlashError(
            f"the board's MicroPython {shown} has another format of native modules than ours (.mpy 6.3): use the image "
            "of `tools/firmware`."
        )
    if "error" in answer or answer["filesystem"] not in ("VfsLfs2", ""):
        found = answer.get("error") or answer["filesystem"] or "none"
        raise FlashError(
            f"the board's file system is not littlefs ({found}), and only that survives a power cut: "
            "save what you need from it, then ./flash.sh --erase formats it."
        )
    return BoardState(version, architecture, answer["machine"], answer["free"], answer["files"])


def sources() -> dict[str, Path]:
    """Path on the board -> source file, main.py last: a board whose copying was cut never starts half a firmware."""
    board = ROOT / "board"
    found = {f"/{name}.py": board / f"{name}.py" for name in ("boot", "pins", "wiring")}
    for folder in OUR_FOLDERS:
        found |= {f"/{folder}/{path.name}": path for path in sorted((board / folder).glob("*.py"))}
    return found | {"/main.py": board / "main.py"}


def compiled(path: str, source: Path, build: Path, architecture: str) -> tuple[str, Path]:
    """Path and file after mpy-cross, machine code where the source asks for it (viper)."""
    if path in AS_TEXT:
        return path, source
    target = build / f"{path.lstrip('/').removesuffix('.py')}.mpy"
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mpy_cross", f"-march={architecture}", "-s", path.lstrip("/")]
    command += ["-o", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise FlashError(f"{source.relative_to(ROOT)} does not compile:\n{done.stderr.strip()}")
    return path.removesuffix(".py") + ".mpy", target


def plan(architecture: str, *, source: bool) -> dict[str, Path]:
    """Everything that belongs on a board with this chip: path on the board -> file here."""
    files: dict[str, Path] = {}
    for module in NATIVE_MODULES:
        built = ROOT / ".cache/native" / architecture / f"{module}.mpy"
        if not built.exists():
            say(f"building the native module {module} for {architecture}")
            done = subprocess.run([ROOT / "tools/native", architecture])
            if done.returncode or not built.exists():
                raise FlashError(f"the native module {module} could not be built for {architecture}; see above.")
        files[f"/lib/{module}.mpy"] = built
    build = ROOT / ".cache/board" / architecture
    for path, file in sources().items():
        name, made = (path, file) if source else compiled(path, file, build, architecture)
        files[name] = made
    return files


def differing(files: dict[str, Path], on_board: dict[str, tuple[int, str]]) -> dict[str, Path]:
    """Files that the board does not hold in this form."""
    return {
        path: file
        for path, file in files.items()
        if on_board.get(path, (0, ""))[1] != hashlib.sha256(file.read_bytes()).hexdigest()
    }


def leftovers(files: dict[str, Path], on_board: dict[str, tuple[int, str]]) -> list[str]:
    """Files in our folders on the board that the firmware no longer has."""
    ours = (*(f"/{folder}/" for folder in OUR_FOLDERS), "/wiring.")
    return sorted(path for path in on_board if path.startswith(ours) and path not in files)


def check_space(changed: dict[str, Path], state: BoardState) -> None:
    """FlashError when the files won't fit. Old and new version of a file stand side by side while it is copied."""
    blocks = sum(-(-file.stat().st_size // BLOCK_BYTES) for file in changed.values())
    need = (blocks + 2) * BLOCK_BYTES if changed else 0
    if need > state.free_bytes:
        raise FlashError(
            f"the board's file system is full: {need // 1024} kB needed, {state.free_bytes // 1024} kB free. "
            "Remove files of yours (mpremote fs ls), or use ./flash.sh --erase, which removes everything."
        )


def copy(port: str, changed: dict[str, Path], old: list[str], state: BoardState) -> None:
    """Copy and remove in one mpremote call. A main.py of somebody else is kept as main.before.py; one of ours goes first."""
    words: list[str] = []
    if "/main.py" in state.files:
        ours = old_firmware(state)
        words += ["fs", "rm", ":/main.py", "+"] if ours else ["fs", "cp", ":/main.py", ":/main.before.py", "+"]
    folders = sorted({path.rsplit("/", 1)[0] for path in changed} - {""})
    present = {path.rsplit("/", 1)[0] for path in state.files}
    for folder in sorted(set(folders) - present):
        words += [
            "exec",
            f"import os\ntry:\n os.mkdir({folder!r})\nexcept OSError:\n pass",
            "+",
        ]  # it may be there, empty
    for path in old:
        words += ["fs", "rm", f":{path}", "+"]
    for path, file in changed.items():
        words += ["fs", "cp", str(file), f":{path}", "+"]
    run_mpremote(port, *words[:-1], timeout_s=COPY_TIMEOUT_S)


def old_firmware(state: BoardState) -> bool:
    """The board already carries a firmware of ours, so its main.py is ours too."""
    return any(path.startswith("/meter/") for path in state.files)


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def all_paths() -> list[str]:
    """Every path that may be ours on the board, in either form."""
    texts = list(sources())
    return texts + [path.removesuffix(".py") + ".mpy" for path in texts] + [f"/lib/{m}.mpy" for m in NATIVE_MODULES]


def flash(port: str, *, source: bool, erase: bool) -> None:
    """The whole of it; raises FlashError."""
    if erase:
        say("formatting the board's file system")
        run_mpremote(port, "exec", ERASE, "+", "soft-reset", timeout_s=ANSWER_TIMEOUT_S)
    state = look(port, all_paths())
    say(
        f"{state.machine}, MicroPython {'.'.join(map(str, state.version))}, {state.free_bytes // 1024} kB free on {port}"
    )
    files = plan(state.architecture, source=source)
    changed, old = differing(files, state.files), leftovers(files, state.files)
    if changed or old:
        changed |= {
            "/main.py": files["/main.py"]
        }  # comes last, and is not there meanwhile: nothing half new ever starts
        check_space(changed, state)
        kilobytes = sum(file.stat().st_size for file in changed.values()) / 1024
        say(f"copying {len(changed)} files ({kilobytes:.1f} kB), removing {len(old)}")
        copy(port, changed, old, state)
        missing = differing(files, look(port, all_paths()).files)
        if missing:
            raise FlashError(f"after copying these differ: {', '.join(missing)}. Run ./flash.sh again.")
        say(f"verified {len(files)} files by SHA-256")
    else:
        say(f"already up to date: {len(files)} files verified by SHA-256")
    run_mpremote(port, "reset", timeout_s=ANSWER_TIMEOUT_S)
    say("started")


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="./flash.sh",
        description="Puts the firmware on a Raspberry Pi Pico or Pico 2 that runs MicroPython. Copies only what changed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("port", nargs="?", help="serial port of the board; without it the only Pico that is plugged in")
    parser.add_argument("--source", action="store_true", help="copy .py files instead of compiled ones")
    parser.add_argument("--erase", action="store_true", help="format the board's file system first")
    arguments = parser.parse_args()
    try:
        flash(find_port(arguments.port), source=arguments.source, erase=arguments.erase)
    except FlashError as error:
        print(f"flash.sh: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
