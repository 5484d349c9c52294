# Runs on CPython and on MicroPython.
import json

from shared.frame import MAX_PAYLOAD, MAX_STUFFED, FrameError, seal, to_board, to_host, unline, unseal, unstuff


def _raises(error, call, *values):
    try:
        call(*values)
    except error:
        return True
    return False


def _vectors():
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    with open(folder + "/../vectors/wire.json") as file:
        return json.load(file)


def test_golden_vectors():
    for vector in _vectors()["frames"]:
        sealed = seal(vector["kind"], vector["seq"], bytes.fromhex(vector["payload"]), vector["prev"])
        assert sealed.hex() == vector["sealed"], vector["name"]
        assert to_host(sealed).hex() == vector["to_host"], vector["name"]
        assert to_board(sealed) == vector["to_board"].encode(), vector["name"]
        assert unseal(unstuff(to_host(sealed)[1:-1])) == (
            vector["kind"],
            vector["seq"],
            vector["prev"],
            bytes.fromhex(vector["payload"]),
        )
        assert unline(to_board(sealed)) == sealed


def test_every_length_around_the_block_limit_comes_back():
    for length in list(range(12)) + list(range(240, 262)) + list(range(494, 520)) + [MAX_PAYLOAD]:
        for fill in (b"\x00", b"\x01", b"\x03", b"\xff", b"\x00\xff"):
            payload = (fill * length)[:length]
            framed = to_host(seal(2, 7, payload, 6))
            assert framed[0] == 0 and framed[-1] == 0 and min(framed[1:-1]) > 0
            assert len(framed) - 2 <= MAX_STUFFED
            assert unseal(unstuff(framed[1:-1])) == (2, 7, 6, payload)


def test_nothing_towards_the_board_is_a_control_character():
    for byte in range(256):
        line = to_board(seal(byte, byte * 16777216, bytes([byte]) * 60, byte * 65793))
        assert all(32 <= value < 127 for value in line[:-1]) and line[-1:] == b"\n"


def test_each_single_bit_error_is_refused():
    sealed = seal(4, 1000, b"gas 12.3 m3")
    for bit in range(len(sealed) * 8):
        hurt = bytearray(sealed)
        hurt[bit // 8] ^= 1 << bit % 8
        assert _raises(FrameError, unseal, bytes(hurt))


def test_cut_and_padded_frames_are_refused():
    stuffed = to_host(seal(1, 2, b"\x00" * 20))[1:-1]
    for length in range(len(stuffed)):
        assert _raises(FrameError, lambda data: unseal(unstuff(data)), stuffed[:length])
    assert _raises(FrameError, lambda data: unseal(unstuff(data)), bytes(stuffed) + b"\x01")


def test_too_long_a_payload_is_refused():
    assert _raises(FrameError, seal, 1, 0, bytes(MAX_PAYLOAD + 1))
