# A telegram of a smart meter on its way from board to bridge: what the pieces of a P1_TELEGRAM record carry together.
#
# Lines that end with LF: the meter's identification, then one line for each register, its fields parted by TAB:
#   code TAB number TAB unit [TAB stamp [TAB before]]     a number, in thousandths of the unit (which may be empty)
#   code TAB "text [TAB TAB stamp [TAB before]]           a text, after a quotation mark
# Neither character can be inside a field: a telegram's lines are printable ASCII.
from .p1 import NONE, OK, Telegram
from .p1_lines import code_of, is_stamp

_MOST_DIGITS = 22  # of a number: 18 digits as a meter may send them, three more for thousandths, and a sign


def encode(telegram):
    """The bytes that stand for a telegram's head and registers."""
    lines = [telegram.head]
    for code, value, unit, stamp, before in telegram.registers:
        if unit is None:
            line = '%s\t"%s' % (code, value)
            if stamp:
                line += "\t"
        else:
            line = "%s\t%d\t%s" % (code, value, unit)
        if stamp:
            line += "\t" + stamp
            if before:
                line += "\t" + before
        lines.append(line)
    return ("\n".join(lines) + "\n").encode()


def decode(data, crc, left_out):
    """The telegram that encode() was given; ValueError for anything that encode() does not make."""
    data = bytes(data)
    lines = data.split(b"\n")
    if crc not in (OK, NONE) or len(lines) < 2 or lines.pop():
        raise ValueError("p1_telegram: no lines")
    return Telegram(_text(lines[0]), crc, [_register(line) for line in lines[1:]], left_out)


def _register(line):
    fields = line.split(b"\t")
    text = fields[1][:1] == b'"' if len(fields) > 1 else False
    if not (2 if text else 3) <= len(fields) <= 5 or (text and len(fields) == 3):
        raise ValueError("p1_telegram: no register")
    stamps = [_stamp(field) for field in fields[3:]] + [None, None]
    code = code_of(fields[0])
    if code.encode() != fields[0]:
        raise ValueError("p1_telegram: no code")
    if not text:
        return (code, _number(fields[1]), _text(fields[2]), stamps[0], stamps[1])
    if len(fields) > 2 and fields[2]:
        raise ValueError("p1_telegram: a text has no unit")
    return (code, _text(fields[1][1:]), None, stamps[0], stamps[1])


def _number(text):
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or len(text) > _MOST_DIGITS or (digits[:1] == b"0" and text != b"0"):
        raise ValueError("p1_telegram: no number")
    return int(text)


def _stamp(text):
    if not is_stamp(text):
        raise ValueError("p1_telegram: no stamp")
    return str(text, "utf-8")


def _text(text):
    if text and not (min(text) >= 32 and max(text) < 127):
        raise ValueError("p1_telegram: no text")
    return str(text, "utf-8")
