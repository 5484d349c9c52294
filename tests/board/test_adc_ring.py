from fakes import Dma, Registers

from meter.adc_ring import AdcRing

ADC, DREQ = 0x4004C000, 36
CS, FCS, FIFO, DIV = ADC, ADC + 8, ADC + 12, ADC + 16
RING_AT = 0x20010000  # where the ring would be on a chip


def make():
    registers, Dma.made = Registers((CS, FCS)), []
    return AdcRing(registers, Dma, lambda ring: RING_AT, ADC, DREQ), registers, Dma.made


def test_the_ring_holds_a_quarter_of_a_second_within_its_limits():
    for conversions_hz, samples in (
        (733, 15000),
        (60000, 15000),
        (100000, 25000),
        (120000, 30000),
        (240000, 60000),
        (300000, 60000),
        (60000, 15000),
    ):
        ring, _registers, _dma = make()
        ring.fit(conversions_hz)
        assert len(ring.ring) == samples


def test_without_memory_it_becomes_as_long_as_it_can():
    ring, _registers, _dma = make()
    ring.fit(100000)
    allocate = ring._allocate

    def short_of_memory(samples):
        ring.ring = None
        if samples > 40000:
            raise MemoryError
        allocate(samples)

    ring._allocate = short_of_memory
    ring.fit(300000)
    assert len(ring.ring) == 60000 * 3 // 4 * 3 // 4
    ring.fit(60000)
    assert len(ring.ring) == 15000


def test_when_there_was_no_memory_at_all_it_asks_again():
    ring, _registers, _dma = make()
    allocate = ring._allocate

    def no_memory(_samples):
        ring.ring = None
        raise MemoryError

    ring._allocate = no_memory
    refused = 0
    for _ in range(2):  # for new settings, and for the former ones behind them
        try:
            ring.fit(100000)
        except MemoryError:
            refused += 1
    assert refused == 2
    ring._allocate = allocate
    ring.fit(60000)
    assert len(ring.ring) == 15000


def test_inputs_are_converted_in_turn_from_the_lowest_on():
    for channels, select in (([0, 1, 2], 0b111 << 16), ([0, 2], 0b101 << 16), ([1, 2], 0b110 << 16 | 1 << 12)):
        ring, registers, _dma = make()
        ring.start(channels, 20000)
        assert registers.values[CS] == select | 0b1001  # EN, START_MANY
        assert registers.written[-1][0] == CS  # last: the ring waits for the first sample


def test_a_single_input_needs_no_round_robin():
    ring, registers, _dma = make()
    ring.start([2], 20000)
    assert registers.values[CS] == 2 << 12 | 0b1001


def test_the_rate_is_that_of_all_inputs_together():
    # 48 MHz, the divider in 1/256: a conversion each INT + 1 + FRAC / 256 cycles, 96 at least.
    for channels, rate_hz, cycles in (([0, 1, 2], 20000, 800), ([0], 20000, 2400), ([0, 1, 2], 100000, 160)):
        ring, registers, _dma = make()
        ring.start(channels, rate_hz)
        assert registers.values[DIV] == (cycles - 1) * 256
    ring.start([0, 1, 2], 30000)
    assert registers.values[DIV] == 48000000 * 256 // 90000 - 256  # 533 1/3 cycles
    ring.start([0], 500000)
    assert registers.values[DIV] == 0


def test_the_time_of_samples_is_that_of_the_divider_and_never_drifts():
    for channels, rate_hz in (([0, 1, 2], 20000), ([0, 1, 2], 30000), ([0, 1, 2], 99999), ([1], 733), ([0, 2], 7001)):
        ring, registers, _dma = make()
        ring.start(channels, rate_hz)
        set_q8 = (registers.values[DIV] + 256) * len(channels)
        for sets in (0, 1, 1000, 30 * 86400 * rate_hz):
            assert ring.us_of(sets) == sets * set_q8 // (48 * 256)
            assert 0 <= sets - ring.sets_in(ring.us_of(sets)) <= 1
    ring.start([0], 500000)  # 96 cycles are the least
    assert ring.us_of(1000) == 2000


def test_old_faults_of_the_queue_are_cleared_at_the_start():
    ring, registers, _dma = make()
    ring.start([0], 20000)
    # EN, DREQ_EN, one sample at a time; UNDER and OVER are cleared by writing 1.
    assert registers.values[FCS] == 1 | 1 << 3 | 1 << 24 | 1 << 10 | 1 << 11
    registers.values[FCS] = 0
    assert ring.overrun() is False
    for fault in (1 << 10, 1 << 11):
        registers.values[FCS] = fault
        assert ring.overrun() is True


def test_the_ring_is_filled_in_whole_sets_and_begins_again_by_itself():
    ring, _registers, (data, control) = make()
    for channels, samples in (([0], 15000), ([0, 1], 15000), ([0, 1, 2], 15000)):
        ring.start(channels, 20000)
        assert ring.samples == samples == data.set_up["count"]
    ring.fit(100000)
    ring.start([0, 1, 2], 33333)
    assert ring.samples == 24999 == data.set_up["count"]
    assert data.set_up["read"] == FIFO and data.set_up["write"] is ring.ring and data.set_up["trigger"]
    assert data.set_up["ctrl"]["chain_to"] == control.channel and data.set_up["ctrl"]["treq_sel"] == DREQ
    # The control channel writes the ring's address where that starts the data channel: AL2_WRITE_ADDR_TRIG.
    assert list(control.set_up["read"]) == [RING_AT] and control.set_up["count"] == 1
    assert control.set_up["write"] == 0x50000000 + 0x40 * data.channel + 0x2C


def test_the_position_is_where_the_dma_writes_next():
    ring, registers, (data, _control) = make()
    ring.start([0, 1, 2], 20000)
    for index, position in ((0, 0), (1, 1), (14999, 14999), (15000, 0)):
        registers.values[0x50000000 + 0x40 * data.channel + 4] = RING_AT + 2 * index
        assert ring.position() == position


def test_channels_are_disabled_before_they_are_aborted():
    ring, registers, (data, control) = make()
    ring.start([0], 20000)
    registers.written.clear()
    ring.stop()
    ctrl = [0x50000000 + 0x40 * each.channel + 0x10 for each in (data, control)]
    assert registers.written == [(CS, 1), (ctrl[0], 0), (ctrl[1], 0)]
    assert data.calls[-1] == 0 and control.calls[-1] == 0
