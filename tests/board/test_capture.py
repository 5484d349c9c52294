from sampling import POLL_MS, SamplerRig, wave

from meter.capture import Capture, fits
from shared.records import RAW


def codes_of(capture):
    """{port: codes} out of its records, each head checked."""
    codes = {port: [] for port in capture.ports}
    for payload in capture.payloads():
        port, t_us, rate_hz, first, total, raw = RAW.unpack(payload)
        assert (t_us, rate_hz, total) == (capture._t_us, capture._rate_hz, capture.sets)
        assert first == len(codes[port]) and len(raw) <= 1000
        codes[port] += [raw[at] + 256 * raw[at + 1] for at in range(0, len(raw), 2)]
    return codes


def began(rig, capture):
    """Which of the sets that were fed is its first."""
    return capture._t_us * rig.sampler.rate_hz // 1000000


def check(rig, capture):
    """Its codes are those that were fed, all after the request."""
    first = began(rig, capture)
    for port, codes in codes_of(capture).items():
        channel = rig.sampler.ports.index(port)
        assert codes == [fed[channel] for fed in rig.fed[first : first + capture.sets]]


def test_codes_are_those_that_came_in_after_the_request_wherever_the_ring_ends():
    for before in range(0, 1200, 83):
        rig = SamplerRig(ring_samples=1800)
        rig.run(before)
        capture = Capture((1, 2, 3), 400)
        folded = rig.sampler._sets
        rig.sampler.capture(capture)
        rig.run(400 + 3 * POLL_MS)
        assert capture.done and began(rig, capture) >= folded
        check(rig, capture)


def test_some_of_the_ports_that_are_sampled():
    for sampled, wanted in (((1, 2, 3), (2,)), ((1, 3), (3,)), ((1, 2, 3), (1, 3)), ((2,), (2,))):
        rig = SamplerRig(ports=sampled, ring_samples=3000)
        rig.run(700)
        capture = Capture(wanted, 600)
        rig.sampler.capture(capture)
        rig.run(700)
        assert capture.done and sorted(codes_of(capture)) == list(wanted)
        check(rig, capture)


def test_it_wakes_the_reporter_even_between_windows():
    rig = SamplerRig()
    capture = Capture((1,), 100)
    rig.sampler.capture(capture)
    rig.run(100 - POLL_MS)
    assert not capture.done and rig.woken == 0
    rig.run(4 * POLL_MS)
    assert capture.done and rig.woken == 1


def test_a_gap_never_lies_inside():
    rig = SamplerRig(ring_samples=3000)
    rig.run(20 * POLL_MS)
    capture = Capture((1, 2, 3), 400)
    rig.sampler.capture(capture)
    rig.run(12 * POLL_MS)
    rig.ring.over = True
    rig.run(POLL_MS)
    mark = len(rig.fed)  # the converter began again with the next set
    rig.run(400 - POLL_MS)
    assert not capture.done
    rig.run(4 * POLL_MS)
    assert capture.done
    first = mark + (capture._t_us - rig.sampler._start_us) // 1000
    assert codes_of(capture)[2] == [fed[1] for fed in rig.fed[first : first + 400]]


def test_new_settings_end_it_and_the_next_one_has_the_new_rate():
    rig = SamplerRig()
    lost = Capture((1, 2, 3), 400)
    rig.sampler.capture(lost)
    rig.run(200)
    rig.start((1, 3), 2000)
    rig.run(900)
    assert not lost.done
    capture = Capture((3,), 500)
    rig.sampler.capture(capture)
    rig.run(700)
    assert capture.done and capture._rate_hz == 2000
    first = (capture._t_us - rig.sampler._start_us) * 2000 // 1000000
    assert codes_of(capture)[3] == [wave(index, 1) for index in range(first, first + 500)]


def test_windows_go_on_meanwhile():
    rig = SamplerRig()
    rig.sampler.capture(Capture((1, 2, 3), 700))
    rig.run(2100)
    assert [window["samples"] for window in rig.records("clamp")] == [1000] * 6


def test_what_a_ring_holds():
    assert fits(15000, 3, 3750) and not fits(15000, 3, 3751)
    assert fits(15000, 1, 8192) and not fits(15000, 2, 5626)
