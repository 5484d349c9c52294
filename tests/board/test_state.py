import random

from meter.state import Slots, opened, parts_of, sealed


class Files:
    """A file system that a power cut may hit: after ``left`` more bytes nothing is written any more, the file stays as far as
    it came."""

    def __init__(self):
        self.content = {}
        self.left = 1 << 30

    def read(self, name):
        return self.content.get(name)

    def write(self, name, pieces):
        written = b"".join([bytes(piece) for piece in pieces])[: self.left]
        self.content[name] = written


def slots(files):
    return Slots(("a", "b"), files.read, files.write)


def tags(content):
    return [(tag, bytes(data)) for tag, data in parts_of(content)]


def test_nothing_is_there_at_first():
    one = slots(Files())
    assert one.load() is None and one.torn == 0


def test_what_was_saved_last_is_loaded_and_both_files_are_used():
    files = Files()
    one = slots(files)
    one.load()
    for value in range(1, 6):
        one.save([(1, bytes([value])), (9, b"")])
        again = slots(files)
        assert tags(again.load()) == [(1, bytes([value])), (9, b"")]
        assert len(files.content) == min(value, 2)
        one = again


def test_a_cut_at_every_byte_leaves_the_state_before_or_the_new_one():
    random.seed(5)
    for length in (0, 1, 40, 300):
        files = Files()
        one = slots(files)
        one.load()
        one.save([(1, b"old" * 7)])
        one.save([(1, b"older")])
        before = dict(files.content)
        content = bytes([random.getrandbits(8) for _ in range(length)])
        whole = sum([len(piece) for piece in sealed(3, [(1, content)])])
        for cut in range(whole + 1):
            files.content, files.left = dict(before), 1 << 30
            one = slots(files)
            one.load()
            files.left = cut
            one.save([(1, content)])
            again = slots(files)
            loaded = tags(again.load())
            assert loaded == [(1, content if cut == whole else b"older")], cut
            assert again.torn == (0 if cut == whole else 1)


def test_after_a_cut_the_damaged_file_is_the_next_to_be_written():
    files = Files()
    one = slots(files)
    one.load()
    one.save([(1, b"a")])
    files.left = 9
    one.save([(1, b"b")])
    files.left = 1 << 30
    one = slots(files)
    one.load()
    one.save([(1, b"c")])
    again = slots(files)
    assert tags(again.load()) == [(1, b"c")] and again.torn == 0


def test_any_single_wrong_bit_is_noticed():
    whole = b"".join(sealed(7, [(2, b"some bytes"), (3, b"")]))
    assert opened(whole)[0] == 7
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        assert opened(damaged) is None, bit


def test_another_version_is_not_read():
    whole = bytearray(b"".join(sealed(7, [])))
    assert opened(whole) is not None and opened(b"") is None and opened(whole + b"\0") is None


def test_a_file_system_that_fails_leaves_everything_as_it_was():
    files = Files()
    one = slots(files)
    one.load()
    one.save([(1, b"a")])

    def fail(_name, _pieces):
        raise OSError(28)

    one = Slots(("a", "b"), files.read, fail)
    one.load()
    try:
        one.save([(1, b"b")])
    except OSError:
        pass
    assert tags(slots(files).load()) == [(1, b"a")]


def test_parts_that_do_not_fit_end_the_content():
    assert tags(b"\x01\x02\x00ab\x02\x09\x00abc") == [(1, b"ab")]
    assert tags(b"\x01\x02") == []
