"""flash.sh with the real mpremote on the emulated Pico: the good way and each way it can go wrong."""

import struct
import subprocess

import pytest
from emulated.board import Emulator
from emulated.conftest import flash
from places import BIN, ROOT

pytestmark = pytest.mark.emulated


def mpremote(link, *words: str) -> str:
    for _ in range(3):
        done = subprocess.run(
            [BIN / "mpremote", "connect", str(link), *words], capture_output=True, text=True, timeout=120
        )
        if "could not enter raw repl" not in done.stderr:
            break  # else the board was just starting up
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def emulator(tmp_path, flashed):
    """An emulated Pico that already carries the firmware."""
    (tmp_path / "pico.flash").write_bytes(flashed.read_bytes())
    with Emulator(tmp_path) as emulator:
        yield emulator


def test_a_second_time_copies_nothing(emulator) -> None:
    done = flash(emulator.link)
    assert done.returncode == 0, done.stderr
    assert "already up to date" in done.stdout and "copying" not in done.stdout


def test_only_what_changed_is_copied_and_what_is_gone_is_removed(emulator) -> None:
    script = "open('/pins.py', 'w').write('# mine'); open('/meter/old.py', 'w').write(''); open('/notes.txt', 'w').write('keep')"
    mpremote(emulator.link, "exec", script)
    done = flash(emulator.link)
    assert done.returncode == 0, done.stderr
    assert "copying 2 files" in done.stdout and "removing 1" in done.stdout and "verified" in done.stdout
    listing = mpremote(emulator.link, "exec", "import os; print(os.listdir('/'), os.listdir('/meter'))")
    assert "notes.txt" in listing and "old.py" not in listing


FILL = """
f = open("/big.bin", "wb")
for _ in range(os.statvfs("/")[4] - 9):
    f.write(bytes(4096))
while os.statvfs("/")[4] > 3:
    f.write(bytes(4096))
    f.flush()
f.close()
"""


def test_a_full_file_system(emulator) -> None:
    mpremote(emulator.link, "exec", f"import os\nos.remove('/main.py'); os.remove('/meter/sampler.mpy')\n{FILL}")
    done = flash(emulator.link)
    assert done.returncode == 1
    assert "file system is full" in done.stderr and "--erase" in done.stderr


# A boot.py of somebody's that puts another file system in the place of the flash, here a FAT in memory.
OTHER_ROOT = """
import vfs
class Disk:
    def __init__(self):
        self.data = bytearray(512 * 80)
    def readblocks(self, n, buffer):
        buffer[:] = memoryview(self.data)[512 * n : 512 * n + len(buffer)]
    def writeblocks(self, n, buffer):
        self.data[512 * n : 512 * n + len(buffer)] = buffer
    def ioctl(self, op, arg):
        return {4: 80, 5: 512}.get(op)
disk = Disk()
vfs.umount("/")
vfs.VfsFat.mkfs(disk)
vfs.mount(vfs.VfsFat(disk), "/")
"""


def test_a_file_system_that_a_power_cut_damages_is_refused_and_erase_mends_it(tmp_path) -> None:
    with Emulator(tmp_path) as emulator:
        mpremote(emulator.link, "exec", f"f = open('/boot.py', 'w'); f.write({OTHER_ROOT!r}); f.close()")
        done = flash(emulator.link)
        assert done.returncode == 1
        assert "not littlefs (VfsFat)" in done.stderr and "./flash.sh --erase" in done.stderr
        done = flash(emulator.link, "--erase")
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_main_py_of_somebody_else_is_kept(emulator) -> None:
    # A main.py is somebody else's where none of our modules are; those of /shared and /lib are left, which saves copying.
    script = "import os; [os.remove('/meter/' + name) for name in os.listdir('/meter')]; open('/main.py', 'w').write('print(1234)')"
    mpremote(emulator.link, "exec", script)
    assert flash(emulator.link).returncode == 0
    assert "print(1234)" in mpremote(emulator.link, "exec", "print(open('/main.before.py').read())")


def test_an_old_micropython(tmp_path, image) -> None:
    # The version that the interpreter reports is a tuple of small integers (2 n + 1) in the image: 1.25.0 becomes 1.19.1.
    old, new = (struct.pack("<3I", *(2 * part + 1 for part in version)) for version in ((1, 25, 0), (1, 19, 1)))
    content = image.read_bytes()
    assert content.count(old) == 1
    (tmp_path / "old.uf2").write_bytes(content.replace(old, new))
    with Emulator(tmp_path, "--image", tmp_path / "old.uf2") as emulator:
        done = flash(emulator.link)
        assert done.returncode == 1
        assert "MicroPython 1.19.1 is too old, 1.24.0 or newer is needed" in done.stderr


def test_a_port_that_is_not_there() -> None:
    done = flash("/dev/ttyACM99")
    assert done.returncode == 1
    assert "there is no /dev/ttyACM99" in done.stderr and "cable" in done.stderr


def test_a_port_that_does_not_speak_micropython(tmp_path) -> None:
    # A pseudo-terminal with nobody behind it, as a board that hangs or runs something else.
    import os
    import pty
    import tty

    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        done = flash(os.ttyname(slave))
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 1
    assert "does not give a MicroPython prompt" in done.stderr or "did not answer" in done.stderr


def test_help_teaches() -> None:
    done = subprocess.run([ROOT / "flash.sh", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "examples:" in done.stdout and "--erase" in done.stdout
