import gc
from random import randrange, seed

from receiver import Receiver
from sampling import fields_of, rounded

from meter.kept import Kept, room_for
from shared.records import CLAMP, EARLIER, PAIR, PULSE
from shared.terminal_records import P1_TELEGRAM, PACKET

_KB = 1024
_SAMPLES = 20000


class _House:
    """What a board measures: totals that run, and windows whose sums the test adds up too."""

    def __init__(self, ports=(1, 2, 3), pairs=(), rate_hz=20000):
        self.ports, self.pairs, self.rate_hz = ports, pairs, rate_hz
        self.seconds = 0
        self.charge = {port: 0 for port in (1, 2, 3)}
        self.sums = {port: 0 for port in (1, 2, 3)}
        self.squares = {port: 0 for port in (1, 2, 3)}
        self.energy = 0
        self.count = {4: 0, 5: 0}

    def window(self, **given):
        self.seconds += 1
        mask = sum([1 << port - 1 for port in self.ports])
        records = []
        for port in self.ports:
            square, sum_ = _SAMPLES * randrange(1 << 28), randrange(-100000, 100000)
            self.charge[port] += randrange(-1000, 100000)
            self.squares[port] += square
            self.sums[port] += sum_
            fields = {"samples": _SAMPLES, "frequency_mhz": 50000, "low": -5, "high": 5, "flags": 0, "cycles": 50}
            fields.update(given)
            rest = [fields[name] for name in ("samples", "frequency_mhz", "low", "high", "flags", "cycles")]
            head = (port, mask, self.rate_hz, self.seconds * 1000000, 0)
            records.append((CLAMP.kind, CLAMP.pack(*head, self.charge[port], square, sum_, *rest)))
        for a, b in self.pairs:
            self.energy += randrange(1000)
            totals = (self.energy, 0, given.get("product", 7), given.get("lagged", -7))
            rest = (given.get("samples", _SAMPLES), given.get("flags", 0))
            records.append((PAIR.kind, PAIR.pack(a, b, self.seconds * 1000000, *totals, *rest)))
        return records

    def pulse(self, port, grown=1):
        self.count[port] += grown
        return ((PULSE.kind, PULSE.pack(port, self.seconds * 1000000, self.count[port], 5, 6, 0, 0)),)


def _telegram(number, length=900):
    pieces = -(-length // 1000)
    parts = [min(length - 1000 * piece, 1000) for piece in range(pieces)]
    return [
        (P1_TELEGRAM.kind, P1_TELEGRAM.pack(number, number, piece, pieces, 1, 0, bytes(part)))
        for piece, part in enumerate(parts)
    ]


def _packet(node, t_us, length=10):
    return ((PACKET.kind, PACKET.pack(t_us, 212, node, -50, 0, bytes(length))),)


def _drain(kept, host=None):
    """Everything behind the last number of this host, taken as docs/wire.md wants; it and the fields of what it took."""
    host = host or Receiver()
    kept.resume(host.last)
    record = kept.take()
    while record:
        kind, seq, prev, payload = record
        assert host.take(kind, seq, prev, payload), (seq, prev, host.last)
        record = kept.take()
    return host


def _clamps(host, port):
    return [fields_of(kind, payload) for _seq, kind, payload in host.taken if kind == CLAMP.kind and payload[0] == port]


def _pulses(host, port):
    return [fields_of(kind, payload) for _seq, kind, payload in host.taken if kind == PULSE.kind and payload[0] == port]


def _put_together(house, first, second):
    """The records of two windows after they have become one."""
    kept = Kept(2 * sum([3 + len(payload) for _kind, payload in first]) + 2 * 13 + 40)
    kept.append(first)
    kept.append(second)
    kept.append(house.pulse(4))
    return [fields_of(kind, payload) for _seq, kind, payload in _drain(kept).taken]


def test_windows_put_together_have_the_sums_of_both_and_the_totals_of_the_later():
    house = _House((1, 3), ((1, 3),), 4000)
    first = house.window(samples=4000, frequency_mhz=49990, low=-70, high=3, flags=1, cycles=50, product=10, lagged=-1)
    second = house.window(samples=3920, frequency_mhz=0, low=-7, high=30, flags=4, cycles=49, product=-5, lagged=-3)
    former, latter = [[fields_of(*record) for record in window] for window in (first, second)]
    one, three, pair, _pulse = _put_together(house, first, second)
    for port, clamp, a, b in ((1, one, former[0], latter[0]), (3, three, former[1], latter[1])):
        assert (clamp["port"], clamp["ports"], clamp["rate_hz"], clamp["t_us"]) == (port, 0b101, 4000, 2000000)
        assert clamp["charge"] == b["charge"] and clamp["samples"] == 7920 and clamp["cycles"] == 99
        assert clamp["sum_sq"] == a["sum_sq"] + b["sum_sq"] and clamp["sum_"] == a["sum_"] + b["sum_"]
        assert (clamp["low"], clamp["high"], clamp["flags"], clamp["frequency_mhz"]) == (-70, 30, 5, 49990)
    assert (pair["t_us"], pair["import_total"], pair["samples"], pair["flags"]) == (2000000, house.energy, 7920, 5)
    assert pair["product"] == rounded(10 * 4000 - 5 * 3920, 7920)
    assert pair["lagged"] == rounded(-1 * 4000 - 3 * 3920, 7920)


def test_cycles_end_at_their_range_and_one_unknown_makes_both_unknown():
    house = _House((1,))
    clamp = _put_together(house, house.window(cycles=65000), house.window(cycles=600))[0]
    assert clamp["cycles"] == 65535
    clamp = _put_together(house, house.window(cycles=0), house.window(cycles=600))[0]
    assert clamp["cycles"] == 0


def test_more_samples_than_a_record_can_say_leave_the_later_window_with_the_totals_of_both():
    house = _House((1, 2), ((1, 2),))
    first, second = house.window(samples=0x7FFFFFFF), house.window(samples=1)
    found = _put_together(house, first, second)[:3]
    assert found == [fields_of(*record) for record in second]


def test_halves_are_rounded_away_from_zero():
    house = _House((1, 2), ((1, 2),))
    first, second = house.window(product=1, lagged=-1), house.window(product=2, lagged=-2)
    pair = _put_together(house, first, second)[2]
    assert (pair["product"], pair["lagged"]) == (2, -2)


def test_two_hours_without_a_host_lose_detail_evenly_and_no_total():
    seed(1)
    house, kept = _House(), Kept(40 * _KB)
    host = Receiver()
    records = 0
    for second in range(7200):
        kept.append(house.window())
        kept.append(house.pulse(4))
        kept.append(house.pulse(5, randrange(1, 30)))
        records += 5
        if second == 20:  # the host takes these and goes; nothing was acknowledged
            for _ in range(77):
                host.take(*kept.take())
        assert kept.bytes <= 40 * _KB and kept.newest == records
    left = Receiver(host.last)
    _drain(kept, left)
    assert kept.dropped == 0 and kept.merged == records - len(_all(kept))
    for port in (1, 2, 3):
        clamps = _clamps(left, port)
        times_s = [clamp["t_us"] // 1000000 for clamp in clamps]
        gaps_s = [later - earlier for earlier, later in zip(times_s, times_s[1:])]
        assert clamps[-1]["charge"] == house.charge[port] and times_s[-1] == 7200
        assert times_s[0] <= 128 and max(gaps_s) <= 128 and len(clamps) > 100
        assert all([gap == clamp["samples"] // _SAMPLES for gap, clamp in zip(gaps_s, clamps[1:])])
        assert sum([clamp["samples"] for clamp in clamps]) == 7200 * _SAMPLES
        assert sum([clamp["sum_sq"] for clamp in clamps]) == house.squares[port]
        assert sum([clamp["sum_"] for clamp in clamps]) == house.sums[port]
    for port in (4, 5):
        pulses = _pulses(left, port)
        times_s = [pulse["t_us"] // 1000000 for pulse in pulses]
        assert pulses[-1]["count"] == house.count[port] and len(pulses) > 100
        assert max([later - earlier for earlier, later in zip(times_s, times_s[1:])]) <= 128


def _all(kept):
    return _drain(kept).taken


def test_whatever_is_lost_on_the_way_everything_comes_in_order_and_ends_at_the_last_totals():
    seed(2)
    house, kept, host = _House(pairs=((1, 2),)), Kept(20 * _KB), Receiver()
    stored = 0
    for second in range(4000):
        kept.append(house.window())
        if not second % 3:
            kept.append(house.pulse(4))
        if not second % 10:
            kept.append(_telegram(second, randrange(100, 2400)))
        if not second % 7:
            kept.append(_packet(randrange(1, 5), second))
        away = second % 1500 > 700  # for 13 minutes nothing comes through
        for _ in range(0 if away else randrange(20)):
            record = kept.take()
            if record and randrange(20):
                host.take(*record)
        del host.taken[:-50]
        luck = randrange(30)
        if luck == 0 and not away:
            kept.resume(host.last)
        elif luck == 1:
            stored = max(stored, host.last - randrange(200))
            kept.acknowledge(stored)
        elif luck == 2 and not away:  # the host was killed: what it had not stored it does not know any more
            host.last = stored
            kept.resume(stored)
    _drain(kept, host)
    kept.acknowledge(host.last)
    assert not kept.waiting and host.last == kept.newest and host.refused and kept.merged and kept.dropped == 0
    for port in (1, 2, 3):
        clamps = _clamps(host, port)
        assert clamps[-1]["charge"] == house.charge[port] and clamps[-1]["t_us"] == 4000000000
    assert _pulses(host, 4)[-1]["count"] == house.count[4]


def test_of_telegrams_the_latest_two_stay_when_there_is_no_room():
    house, kept = _House((1,)), Kept(16 * _KB)
    for number in range(100):
        kept.append(_telegram(number, 1500))
        kept.append(house.window())
    host = _drain(kept)
    telegrams = [P1_TELEGRAM.unpack(payload) for _seq, kind, payload in host.taken if kind == P1_TELEGRAM.kind]
    # Whole ones only; as soon as there is room again, more of them.
    assert [fields[1:4] for fields in telegrams][-4:] == [(98, 0, 2), (98, 1, 2), (99, 0, 2), (99, 1, 2)]
    assert len(telegrams) < 24 and kept.dropped == 0
    assert len(_clamps(host, 1)) == 100 and kept.merged == 200 - len(telegrams)


def test_of_a_nodes_packets_of_one_length_the_later_stays():
    kept = Kept(10 * (13 + 3 + 12 + 10))
    for t_us in range(200):
        kept.append(_packet(1 + t_us % 3, t_us, 10))
    packets = [PACKET.unpack(payload) for _seq, _kind, payload in _drain(kept).taken]
    assert [packet[0] for packet in packets][-3:] == [197, 198, 199]
    assert kept.dropped == 0 and {packet[2] for packet in packets} == {1, 2, 3}


def test_windows_that_were_sampled_otherwise_are_not_put_together():
    kept = Kept(4 * _KB)
    houses = [_House((1, 2)), _House((1, 2), rate_hz=4000), _House((1, 2), ((1, 2),)), _House((1,))]
    for house in houses:
        for _ in range(100):
            kept.append(house.window())
    host = _drain(kept)
    for port, ports, rate_hz in ((1, 3, 20000), (2, 3, 20000), (1, 3, 4000), (2, 3, 4000), (1, 1, 20000)):
        clamps = [one for one in _clamps(host, port) if (one["ports"], one["rate_hz"]) == (ports, rate_hz)]
        windows = 200 if (ports, rate_hz) == (3, 20000) else 100
        assert sum([clamp["samples"] for clamp in clamps]) == windows * _SAMPLES
    assert kept.dropped == 0


def test_what_cannot_be_put_together_is_dropped_oldest_first_and_that_of_an_earlier_boot_last():
    kept = Kept(600)
    for index in range(3):
        kept.append(((EARLIER.kind, EARLIER.pack(1, PULSE.kind, bytes([index]))),))
    for node in range(1, 31):
        kept.append(_packet(node, node))
    host = _drain(kept)
    assert [kind for _seq, kind, _payload in host.taken[:4]] == [EARLIER.kind] * 3 + [PACKET.kind]
    packets = [PACKET.unpack(payload)[0] for _seq, _kind, payload in host.taken[3:]]
    assert packets == list(range(31 - len(packets), 31)) and kept.dropped == 30 - len(packets) and kept.merged == 0
    kept.append(_telegram(1, 560))
    assert [kind for _seq, kind, _payload in _drain(kept).taken] == [P1_TELEGRAM.kind]
    kept.append(_telegram(2, 600))  # more than there can ever be room for
    assert [kind for _seq, kind, _payload in _drain(kept).taken] == [P1_TELEGRAM.kind]
    assert kept.dropped == 34


def test_the_latest_of_each_input_that_nobody_has_acknowledged():
    house, kept = _House((1, 2), ((1, 2),)), Kept(16 * _KB)
    for _ in range(5):
        kept.append(house.window())
        kept.append(house.pulse(4))
    kept.append(_telegram(1))
    kept.append(_packet(1, 1))
    latest = [fields_of(*record) for record in kept.latest()]
    assert [one["name"] for one in latest] == ["clamp", "clamp", "pair", "pulse"]
    assert [one["t_us"] for one in latest] == [5000000] * 4 and latest[3]["count"] == 5
    kept.acknowledge(18)  # up to the second clamp of the last window
    assert [fields_of(*record)["name"] for record in kept.latest()] == ["pair", "pulse"]
    kept.acknowledge(20)
    assert list(kept.latest()) == [] and kept.waiting
    kept.acknowledge(1000)
    assert not kept.waiting and kept.bytes == 0


def test_at_the_end_of_the_room_what_waits_moves_to_its_front_without_memory_for_a_copy():
    house, kept, host = _House(), Kept(16 * _KB), Receiver()
    windows = [house.window() for _ in range(300)]
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    most = 0
    for number, window in enumerate(windows):
        kept.append(window)
        now = gc.mem_alloc()
        most = max(most, now - before)
        if number >= 70:  # 14 kB wait all the time
            kept.acknowledge(3 * (number - 70))
        before = gc.mem_alloc()
    gc.enable()
    assert most < 2 * _KB, most
    assert kept.merged == kept.dropped == 0
    host.last = 3 * (299 - 70)
    _drain(kept, host)
    assert [payload for _seq, _kind, payload in host.taken] == [
        payload for window in windows[229:] for _kind, payload in window
    ]


def test_the_room_is_a_share_of_the_memory_within_bounds():
    assert [room_for(free) for free in (1000, 190304, 400304, 2000000)] == [16384, 23000, 75500, 196608]
