# CRC-16 with polynomial 0x8005 reflected: telegrams of smart meters begin at 0 (CRC-16/ARC), RF12 radio frames at 0xFFFF.


def _make_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


TABLE = _make_table()  # for callers that go byte by byte, as an interrupt must


def crc16(crc, data):
    """crc carried on over data. Sources: DSMR P1 4.0, 5.2; AVR libc's _crc16_update, which RF12 uses."""
    table = TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc
