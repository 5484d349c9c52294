# Runs on CPython and on MicroPython.
import json

from shared.rf12 import ACK, CTL, DST, MAX_PAYLOAD, SYNC, Decoder, RadioError, ack_header, frame, on_air


def vectors(name):
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    with open(folder + "/../vectors/rf12.json") as file:
        return json.load(file)[name]


def _crc(data):
    # Bit by bit, as the documents describe it.
    crc = 0xFFFF
    for byte in data:
        for bit in range(8):
            odd = (crc ^ (byte >> bit)) & 1
            crc = (crc >> 1) ^ (0xA001 if odd else 0)
    return crc


def _sealed(body):
    crc = _crc(body)
    return body + bytes([crc & 255, crc >> 8])


def _said(packets):
    return [(packet.group, packet.header, packet.payload) for packet in packets]


def _raises(call, *values):
    try:
        call(*values)
    except RadioError as error:
        return str(error)
    return None


_HELLO = on_air(frame(212, 1, b"hello"))
_SAID = [(212, 1, b"hello")]


def test_the_check_itself():
    assert _crc(b"123456789") == 0x4B37


def test_golden_frames():
    for vector in vectors("frames"):
        payload, whole = bytes.fromhex(vector["payload"]), bytes.fromhex(vector["frame"])
        assert frame(vector["group"], vector["header"], payload) == whole, vector["name"]
        assert _sealed(whole[:-2]) == whole, vector["name"]
        assert on_air(whole) == b"\xaa\xaa\xaa\x2d" + whole + b"\xaa"
        decoder = Decoder(vector["group"])
        assert _said(decoder.push(on_air(whole))) == [(vector["group"], vector["header"], payload)]
        assert decoder.bad == 0 and not decoder.open


def test_every_length():
    for length in range(MAX_PAYLOAD + 1):
        payload = bytes([(length + at * 45) & 255 for at in range(length)])  # 0x2D turns up in it
        decoder = Decoder(0)
        assert _said(decoder.push(on_air(frame(1, 255, payload)))) == [(1, 255, payload)]


def test_what_does_not_fit_is_refused():
    assert _raises(frame, 212, 1, bytes(67)) == "payload bytes: 0..66, not 67"
    assert _raises(frame, 0, 1, b"") == "group: 1..250, not 0"
    assert _raises(frame, 251, 1, b"") and _raises(frame, 1, 256, b"") and _raises(frame, 1, -1, b"")


def test_acks():
    for vector in vectors("acks"):
        assert ack_header(vector["header"], vector["length"], vector["own"]) == vector["ack"], vector["name"]


def test_no_two_ends_answer_each_other_for_ever():
    for header in range(256):
        for length in (0, 8):
            answer = ack_header(header, length)
            assert answer is None or ack_header(answer, 0) is None
            assert answer is None or answer & CTL
            assert answer is not None or not header & ACK or (header & CTL and not length)
    assert ack_header(CTL | DST | ACK, 22) == CTL | ACK


def test_packets_tell_where_they_come_from():
    one, two = Decoder(212).push(on_air(frame(212, 0xE5, b"")) + _HELLO)
    assert (one.node, one.addressed) == (5, True) and (two.node, two.addressed) == (1, False)


def test_any_pieces_give_the_same_packets():
    stream = b"\x00\x2d\xd4" + _HELLO * 2 + on_air(frame(93, 3, b"x")) + b"noise" + _HELLO
    for size in (1, 2, 3, 5, 11, 200):
        decoder, said = Decoder(212), []
        for at in range(0, len(stream), size):
            said += _said(decoder.push(stream[at : at + size]))
        assert said == _SAID * 3
        assert decoder.foreign == 1


def test_each_single_bit_error_is_dropped_and_the_next_frame_is_found():
    for bit in range(8, (len(_HELLO) - 5) * 8):  # of header, length, payload and CRC
        hurt = bytearray(_HELLO)
        hurt[4 + bit // 8] ^= 1 << bit % 8
        decoder = Decoder(212)
        assert _said(decoder.push(bytes(hurt) + _HELLO * 8)) == _SAID * 8, bit
        assert decoder.bad == 1


def test_drops_are_counted_by_cause():
    decoder = Decoder(212)
    assert decoder.push(b"\x2d" + _sealed(b"\xd4\x01\x43" + bytes(67))) == []
    assert (decoder.bad_length, decoder.bad_crc, decoder.foreign) == (1, 0, 0)
    assert decoder.push(b"\x2d\xd4\x01\x02abXX") == []
    assert (decoder.bad_length, decoder.bad_crc, decoder.foreign) == (1, 1, 0)
    assert decoder.push(on_air(frame(213, 1, b"abc"))) == []
    assert (decoder.bad_length, decoder.bad_crc, decoder.foreign) == (1, 1, 1)
    assert decoder.push(b"\x00\x2d\xd5" * 20) == []  # noise is nobody's frame
    assert decoder.foreign == 1 and decoder.bad == 2


def test_a_frame_behind_a_false_start_is_found():
    for start in (b"\x2d\xd4", b"\x2d\xd4\x01\x42", b"\x2d\x2d", b"\x2d\xd4\x01\x42" + b"\x2d\xd4" * 9):
        decoder = Decoder(212)
        said = _said(decoder.push(start + _HELLO) + decoder.push(bytes(80)))
        assert said == _SAID, start


def test_a_chip_that_looks_for_the_sync_word_itself():
    decoder = Decoder(93)
    for _ in range(2):
        assert decoder.push(bytes((SYNC, 93))) == [] and decoder.open
        assert _said(decoder.push(frame(93, 3, b"ab")[1:])) == [(93, 3, b"ab")]
        assert not decoder.open
    decoder.push(bytes((SYNC, 93, 3, 20)))
    decoder.forget()
    assert not decoder.open and decoder.bad == 0


def test_noise_stays_bounded():
    decoder, state = Decoder(212), 1
    for _ in range(300):
        noise = bytearray()
        for _ in range(100):
            state = (state * 75 + 74) % 65537
            noise.append(state & 255)
            if state % 40 == 0:
                noise += b"\xaa\x2d\xd4"
        decoder.push(noise)
        assert len(decoder._held) <= MAX_PAYLOAD + 6
    assert decoder.bad > 10
    assert _said(decoder.push(bytes(80) + _HELLO)) == _SAID
