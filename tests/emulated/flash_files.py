"""Files in a flash file, changed without the emulator: MicroPython for Linux has the board's littlefs."""

import subprocess
from pathlib import Path

from places import BIN

# Arguments: flash file, path, file with the text to append.
_APPEND = """
import sys, vfs
BLOCK = 4096
class Flash:
    def __init__(self, data):
        self.data = data
    def readblocks(self, block, buffer, offset=0):
        at = block * BLOCK + offset
        buffer[:] = memoryview(self.data)[at : at + len(buffer)]
    def writeblocks(self, block, buffer, offset):
        at = block * BLOCK + offset
        self.data[at : at + len(buffer)] = buffer
    def ioctl(self, command, block):
        if command == 6:
            self.data[block * BLOCK : (block + 1) * BLOCK] = b"\\xff" * BLOCK
        return {4: len(self.data) // BLOCK, 5: BLOCK}.get(command, 0)
with open(sys.argv[1], "rb") as file:
    flash = Flash(bytearray(file.read()))
vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/flash")
with open(sys.argv[3]) as text, open("/flash" + sys.argv[2], "a") as file:
    file.write(text.read())
vfs.umount("/flash")
with open(sys.argv[1], "wb") as file:
    file.write(flash.data)
"""


def append(flash: Path, path: str, text: str) -> None:
    """Appends to a file in the flash file (of a board that is not running)."""
    program, piece = flash.with_suffix(".append.py"), flash.with_suffix(".text")
    program.write_text(_APPEND)
    piece.write_text(text)
    command = [BIN / "micropython", "-X", "heapsize=8m", program, flash, path, piece]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
