# The slots on littlefs as the board has it (blocks of 4096 bytes, pages of 256), with power cuts inside every command that
# erases or programs, and how often each save erases.
import os
import random

import vfs

from meter.state import Slots, parts_of

_BLOCKS, _BLOCK_BYTES, _PAGE_BYTES = 24, 4096, 256
_NAMES = ("/flash/state/0", "/flash/state/1")
_SETTINGS, _WITH_TABLE = 100, 8380  # bytes of settings and calibration; of them and a table
_COUNTERS = 572  # three clamps, three pairs and four pulse inputs


class PowerCut(Exception):
    pass


_CUT = PowerCut()  # made beforehand: the collector closes files that were left open, and nothing can be allocated then


class Flash:
    """rp2.Flash. left: commands until the power goes, in the midst of one."""

    def __init__(self, data=None):
        self.data = data or bytearray(b"\xff" * (_BLOCKS * _BLOCK_BYTES))
        self.left = 1 << 30
        self.erased = [0] * _BLOCKS
        self.pages = 0

    def readblocks(self, block, buffer, offset=0):
        if self.left <= 0:
            raise _CUT
        at = block * _BLOCK_BYTES + offset
        buffer[:] = memoryview(self.data)[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset):
        for page in range(0, len(buffer), _PAGE_BYTES):
            self.pages += 1
            self._change(block * _BLOCK_BYTES + offset + page, buffer[page : page + _PAGE_BYTES])

    def ioctl(self, command, block):
        if command == 6:
            self.erased[block] += 1
            self._change(block * _BLOCK_BYTES, b"\xff" * _BLOCK_BYTES)
        return {4: _BLOCKS, 5: _BLOCK_BYTES}.get(command, 0)

    def _change(self, at, new):
        if self.left <= 0:
            raise _CUT
        self.left -= 1
        if not self.left:  # some of the bits are changed, and the others not
            done = bytes([random.getrandbits(8) for _ in new])
            now = bytes(memoryview(self.data)[at : at + len(new)])
            new = bytes([old ^ ((old ^ byte) & mask) for old, byte, mask in zip(now, new, done)])
        self.data[at : at + len(new)] = new
        if not self.left:
            raise _CUT


def mounted(flash):
    vfs.mount(vfs.VfsLfs2(flash, progsize=_PAGE_BYTES), "/flash")


def formatted():
    """A file system with a file beside ours that must survive too."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash, progsize=_PAGE_BYTES)
    mounted(flash)
    os.mkdir("/flash/state")
    with open("/flash/main.py", "w") as file:
        file.write("import wiring")
    return flash


def read(name):
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError:
        return None


def write(name, pieces):
    with open(name, "wb") as file:
        for piece in pieces:
            file.write(piece)


def loaded():
    slots = Slots(_NAMES, read, write)
    return slots, [bytes(data) for _tag, data in parts_of(slots.load() or b"")]


def cut_everywhere(size):
    """Saves content of this size with a power cut in each command that it takes; how many these were."""
    flash = formatted()
    slots, _ = loaded()
    for value in range(3):
        slots.save([(1, bytes([value]) * size)])
    vfs.umount("/flash")
    disk, before, new, commands = flash.data, bytes(flash.data), [b"n" * size], 0
    while True:
        commands += 1
        disk[:] = before
        flash = Flash(disk)
        mounted(flash)
        slots, content = loaded()
        assert content == [b"\x02" * size]
        flash.left = commands
        try:
            slots.save([(1, new[0])])
        except PowerCut:
            pass
        whole = flash.left > 0
        vfs.umount("/flash")
        mounted(Flash(disk))
        _, content = loaded()
        assert content == new or (content == [b"\x02" * size] and not whole), commands
        assert read("/flash/main.py") == b"import wiring"
        vfs.umount("/flash")
        if whole:
            return commands - 1


def test_a_power_cut_in_any_command_leaves_the_state_before_or_the_new_one():
    random.seed(4)
    for size in (_SETTINGS, _COUNTERS, _WITH_TABLE):
        assert cut_everywhere(size) >= 1


def cost(size, saves):
    """(erased sectors, programmed pages) a save, on the average."""
    flash = formatted()
    slots, _ = loaded()
    erased, pages = sum(flash.erased), flash.pages
    for value in range(saves):
        slots.save([(1, bytes([value & 255]) * size)])
    vfs.umount("/flash")
    assert max(flash.erased) < saves  # no sector takes all of it
    return (sum(flash.erased) - erased) / saves, (flash.pages - pages) / saves


def test_how_often_a_save_erases():
    # The years that docs/board-state.md tells follow from these.
    for size, most in ((_SETTINGS, 0.5), (_COUNTERS, 1.5), (_WITH_TABLE, 3.5)):
        erased, pages = cost(size, 300)
        print("a save of %d bytes: %.2f sectors erased, %.1f pages programmed" % (size, erased, pages))
        assert erased <= most
