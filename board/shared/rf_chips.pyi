from typing import Final

class Air:
    carrier_khz: int
    bit_rate: int
    deviation_khz: int
    bandwidth_khz: int
    busy_dbm: int
    def __init__(
        self, carrier_khz: int, bit_rate: int, deviation_khz: int, bandwidth_khz: int, busy_dbm: int
    ) -> None: ...

FLUKSO: Final[Air]
JEENODE: Final[Air]
IDLE: Final[int]
RECEIVE: Final[int]
TRANSMIT: Final[int]
TX_BYTE: Final[int]
READ_FIFO: Final[int]
READ_STATUS: Final[int]
FIFO_OFF: Final[int]
FIFO_ON: Final[int]
STATUS_READY: Final[int]
STATUS_POWER_ON: Final[int]
STATUS_LOST: Final[int]
STATUS_BUSY: Final[int]
STANDBY: Final[int]

def rfm12b_words(air: Air, group: int) -> list[int]: ...
def rfm69_registers(air: Air, group: int) -> list[tuple[int, int]]: ...
