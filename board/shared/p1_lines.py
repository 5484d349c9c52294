# One line of a P1 telegram -> registers. Grammar: IEC 62056-21, 6.3 (data set: address, brackets, value*unit), as
# the DSMR P1 companion standards use it: A-B:C.D.E(value*unit), A-B:C.D.E(stamp)(value*unit), and lists of those.
#
# A register is a tuple: (code, value, unit, stamp, before)
#   code    "1-0:1.8.1"; an F of 255, which means "now", is left out, any other stays ("1-0:1.8.1*01" is a past value)
#   value   with a unit: int, in thousandths of it, digits beyond cut off (a counter never runs ahead of its meter);
#           without: str, as sent
#   unit    as sent ("kWh", "m3"), or None
#   stamp   meter's local time before the value, "YYMMDDhhmmss" and S (summer) or W (winter) or nothing; or None
#   before  the stamp before that one, or None (98.1.0: the month closed, then when its peak was)

from ._compat import const

_MOST_DIGITS = const(18)  # of a number: its thousandths fit 64 bits signed
_MAX_UNIT = const(16)  # characters: IEC 62056-21, 6.3.2
_CODE_CHARACTERS = b"0123456789ABCDEFLP.:-*"
_BARE_UNIT = b"kW"  # Iskra 2M550E-1011 leaves the * away: (00.820kW)
Register = tuple  # of five, as above
_TWO_LINES = "24.3.0"  # DSMR 2.2 and 3.0, M-Bus: the value follows on a line of its own


def thousandths(text):
    """Exact thousandths of a decimal number in ASCII: b"-12.5" -> -12500. ValueError when it is none."""
    negative = text[:1] == b"-"
    if negative:
        text = text[1:]
    whole, point, part = text.partition(b".")
    if not whole.isdigit() or (point and not part.isdigit()) or len(text) > _MOST_DIGITS:
        raise ValueError
    value = int(whole + (part + b"000")[:3])
    return -value if negative else value


def is_stamp(text):
    """Whether bytes have the form of a meter's clock; not whether that moment exists."""
    return len(text) in (12, 13) and text[:12].isdigit() and text[12:] in (b"", b"S", b"W")


def code_of(address):
    """The OBIS code of an address as str; ValueError when it has another form."""
    if address[-4:] == b"*255":
        address = address[:-4]
    if not 3 <= len(address) <= 20 or address.strip(_CODE_CHARACTERS):
        raise ValueError
    return str(address, "utf-8")


class Lines:
    """Reads the lines of one telegram in order. It remembers one line at most: the first half of a two-line reading."""

    def __init__(self):
        self._half = None  # (code, unit, stamp) of a reading whose value comes on the next line

    @property
    def open(self):
        """Whether a two-line reading still lacks its value."""
        return self._half is not None

    def read(self, line):
        """Registers of one line (bytes without its end); mostly one. ValueError when it is not understood.

        A first half that is still open is forgotten when something else than its value comes.
        """
        half, self._half = self._half, None
        if line[:1] == b"(":
            if half is None or line[-1:] != b")":
                raise ValueError
            code, unit, stamp = half
            return [(code, thousandths(line[1:-1]), unit, stamp, None)]
        address, bracket, values = line.partition(b"(")
        if not bracket or values[-1:] != b")":
            raise ValueError
        code = code_of(address)
        groups = values[:-1].split(b")(")
        if code[-6:] == _TWO_LINES and len(groups) in (6, 7):
            return self._two_lines(groups)
        if len(groups) == 1:
            return [_single(code, groups[0])]
        return _several(code, groups)

    def _two_lines(self, groups):
        # (stamp)(status)(minutes)(count)(code of the value)(unit), then (value) on the next line: DSMR P1 3.0, 5.12
        stamp = str(groups[0], "utf-8") if is_stamp(groups[0]) else None
        code, unit = code_of(groups[4]), _unit(groups[5])
        if len(groups) == 7:
            return [(code, thousandths(groups[6]), unit, stamp, None)]
        self._half = (code, unit, stamp)
        return []


def _plain(text):
    if b"(" in text or b")" in text:
        raise ValueError
    return str(text, "utf-8")


def _unit(text):
    if len(text) > _MAX_UNIT:
        raise ValueError
    return _plain(text)


def _number(text):
    # (thousandths, unit), or None where there is no unit
    number, star, unit = text.partition(b"*")
    if not star:
        if text[-2:] != _BARE_UNIT or not text[:1].isdigit():
            return None
        number, unit = text[:-2], _BARE_UNIT
    return thousandths(number), _unit(unit)


def _single(code, text):
    number = _number(text)
    if number:
        return (code, number[0], number[1], None, None)
    return (code, _plain(text), None, None, None)


def _several(code, groups):
    # Stamps hold for the values behind them. Counts and codes in between only say what is in the list.
    registers = []
    stamp = before = None
    for group in groups:
        if is_stamp(group):
            before, stamp = stamp, str(group, "utf-8")
            continue
        number = _number(group)
        if number:
            registers.append((code, number[0], number[1], stamp, before))
        else:
            text = _plain(group)
            if stamp and len(groups) == 2:
                registers.append((code, text, None, stamp, None))
    return registers
