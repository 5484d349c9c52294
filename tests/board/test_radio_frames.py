# Frames put together byte by byte, their acks, and the time on the air: what the radio's interrupt does.
import random

from meter.radio_frames import BAD_CRC, BAD_LENGTH, MORE, SLOTS, WHOLE, AirTime, Inbox
from shared.rf12 import ACK, CTL, DST, Decoder, ack_header, frame, on_air


def _push(inbox, data):
    told = MORE
    for at, byte in enumerate(data):
        told = inbox.push(byte)
        if told != MORE:
            return told, at + 1
    return told, len(data)


def test_frames_come_out_as_they_went_in():
    inbox = Inbox()
    inbox.tune(93)
    for size in (0, 1, 5, 66):
        payload = bytes(range(size))
        framed = frame(93, 0x25, payload)
        assert _push(inbox, framed[1:]) == (WHOLE, len(framed) - 1)
        assert inbox.length == len(framed) - 1
        inbox.keep(1000 + size, -60, 1)
        inbox.begin()
        assert inbox.take() == (1000 + size, 93, 0x25, -60, 1, payload) and inbox.take() is None
    assert inbox.received == 4


def test_damage_is_told_and_the_next_frame_is_heard():
    inbox = Inbox()
    inbox.tune(212)
    framed = bytearray(frame(212, 1, b"hello"))
    framed[5] ^= 4
    assert _push(inbox, framed[1:])[0] == BAD_CRC
    inbox.begin()
    assert _push(inbox, b"\x01\x43") == (BAD_LENGTH, 2)
    inbox.begin()
    assert _push(inbox, frame(212, 1, b"hello")[1:])[0] == WHOLE
    assert (inbox.received, inbox.bad_crc, inbox.bad_length) == (1, 1, 1)


def test_a_frame_of_another_group_has_the_wrong_crc():
    inbox = Inbox()
    inbox.tune(93)
    assert _push(inbox, frame(94, 1, b"hello")[1:])[0] == BAD_CRC


def test_acks_are_those_of_the_rule_for_every_header():
    inbox = Inbox()
    inbox.tune(93)
    for header in range(256):
        for payload in (b"", b"x"):
            _push(inbox, frame(93, header, payload)[1:])
            wanted = ack_header(header, len(payload))
            assert inbox.wants_ack() == wanted
            if wanted is not None:
                assert bytes(inbox.ack) == on_air(frame(93, wanted, b"")), header
            inbox.begin()
    assert ack_header(CTL | DST | ACK, 22) == CTL | ACK


def test_what_nobody_fetches_is_counted_and_what_waits_is_kept():
    inbox = Inbox()
    for number in range(SLOTS + 2):
        _push(inbox, frame(1, number, b"")[1:])
        assert inbox.full == (number >= SLOTS - 1)
        inbox.keep(0, 0, 0)
        inbox.begin()
    assert inbox.lost == 3
    assert [inbox.take()[2] for _ in range(SLOTS - 1)] == [0, 1, 2] and inbox.take() is None


def test_noise_never_gets_out_of_a_slot():
    random.seed(7)
    inbox, decoder = Inbox(), Decoder(1)
    ends = wholes = 0
    for number in range(40000):
        told = inbox.push(random.getrandbits(8) if number % 9 else number & 31)
        if told != MORE:
            ends += 1
            wholes += told == WHOLE
            assert inbox.length <= 70
            inbox.begin()
    assert ends > 300 and ends == inbox.bad_crc + inbox.bad_length + wholes
    assert not decoder.open


def test_an_hour_never_has_more_than_36_s_of_ours_in_it():
    random.seed(3)
    time, sent = AirTime(), []
    for now_s in range(0, 4 * 3600, 2):
        time.tick(now_s)
        ms = random.getrandbits(8)
        if time.take_ack(ms) if now_s & 2 else time.take(ms):
            sent.append((now_s, ms))
    for begin_s in range(0, 3 * 3600, 97):
        assert sum([ms for at, ms in sent if begin_s <= at < begin_s + 3600]) <= 36000
    assert sum([ms for _, ms in sent]) > 3 * 32000
