# What the records of the other terminals carry: P1, RS-485, radio, panel. As records.py has those of clamps and pulses.
from ._compat import const
from .layout import Layout

_PIECE = const(1000)  # bytes of a telegram, or of RS-485, in one record

# --- towards the host -------------------------------------------------------------------------------------------

# A P1 telegram in pieces. The pieces together are the text of shared/p1_wire.py, or an encrypted frame as it came.
P1_PIECE_BYTES = const(_PIECE)
P1_NO_CRC, P1_CRC_OK, P1_FRAME = const(0), const(1), const(2)
P1_TELEGRAM = Layout(
    0x08,
    "p1_telegram",
    (
        "t_us Q, "  # when its last byte had come: the same in all its pieces
        "number I, "  # of telegrams since boot
        "piece B, "
        "pieces B 1..255, "
        "form B 0..2, "  # P1_NO_CRC (a meter from before DSMR 4), P1_CRC_OK, P1_FRAME (encrypted)
        "left_out H, "  # lines, texts and registers that were not understood or did not fit
    ),
    tail="data",
    text=False,
)

P1_STATUS = Layout(
    0x09,
    "p1_status",
    (
        "t_us Q, "
        "baud I 0..1000000, "  # of the meter; 0: not found yet
        "even_parity B 0..1, "  # 1: seven bits and even parity
        "inverted B 0..1, "  # 1: the line rests low, as the open collector of a P1 port behind no inverter does
        # Since boot:
        "bytes_in I, "
        "telegrams I, "  # good ones
        "bad_crc I, "
        "bad_form I, "  # without a CRC, and not understood
        "cut I, "  # began, and never ended
        "bad_bytes I, "  # of wrong parity
    ),
)

SERIAL_BYTES = const(_PIECE)
SERIAL_IN = Layout(0x0A, "serial_in", "t_us Q", tail="data", text=False)  # bytes from RS-485 as they came
SERIAL_STATUS = Layout(
    0x0B,
    "serial_status",
    (
        "t_us Q, "
        # Since boot:
        "bytes_in I, "
        "bytes_out I, "
        "refused I, "  # bytes of the host for which there was no room
    ),
)

PACKET = Layout(
    0x0C,
    "packet",
    (
        "t_us Q, "
        "group B 1..250, "
        "header B, "  # CTL, DST, ACK, node: shared/rf12.py
        "rssi_dbm b -127..0, "  # 0: the chip can't tell
        "acked B 0..1, "  # the board has sent the ack that was asked for
    ),
    tail="payload",
    text=False,
)

RADIO_NONE, RADIO_RFM12B, RADIO_RFM69 = const(0), const(1), const(2)
RADIO_STATUS = Layout(
    0x0D,
    "radio_status",
    (
        "t_us Q, "
        "chip B 0..2, "  # RADIO_NONE: no chip answers
        "group B 0..250, "  # it listens in now; 0: off
        # Since boot:
        "received I, "
        "bad_crc I, "
        "bad_length I, "
        "foreign I, "  # of other groups
        "sent I, "
        "acks I, "
        "not_sent I, "  # the air was busy too long, or too many waited
        "resets I, "  # the chip had lost its setting and was set up again
    ),
)

BUTTON = Layout(0x0E, "button", "t_us Q, held_ms I")  # sent when it is let go

# --- towards the board ------------------------------------------------------------------------------------------

SERIAL_OUT = Layout(0x85, "serial_out", "", tail="data", text=False)  # bytes for RS-485: one piece without a gap

RADIO_SEND = Layout(
    0x86, "radio_send", "group B 1..250, header B", tail="payload", text=False
)  # payload: 66 bytes at most
RADIO_LISTEN = Layout(
    0x87, "radio_listen", "group B 1..250, seconds B"
)  # in another group for so long, then in its own again; 0: back now

LED_OFF, LED_ON, LED_SLOW, LED_FAST, LED_BLINK = const(0), const(1), const(2), const(3), const(4)
PANEL = Layout(
    0x88,
    "panel",
    # LED_SLOW: once in 3 s; LED_FAST: twice a second; LED_BLINK: dark for a moment now, then on
    "wifi B 0..4, ethernet B 0..4, globe B 0..4",
)

TO_HOST = {
    layout.kind: layout for layout in (P1_TELEGRAM, P1_STATUS, SERIAL_IN, SERIAL_STATUS, PACKET, RADIO_STATUS, BUTTON)
}
TO_BOARD = {layout.kind: layout for layout in (SERIAL_OUT, RADIO_SEND, RADIO_LISTEN, PANEL)}
