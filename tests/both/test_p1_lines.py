# Runs on CPython and on MicroPython.
from shared.p1_lines import Lines, code_of, is_stamp, thousandths


def _refuses(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


def test_numbers_are_exact_thousandths():
    for text, expected in (
        (b"0", 0),
        (b"00132.534", 132534),
        (b"999999.999", 999999999),
        (b"0001.5", 1500),
        (b"-00.024", -24),
        (b"006545766", 6545766000),
        (b"00052185.7825309", 52185782),  # cut, not rounded: a counter never runs ahead
    ):
        assert thousandths(text) == expected


def test_what_is_no_number_is_refused():
    for text in (b"", b"-", b".5", b"12.", b"1,5", b"1e3", b"+1", b"1_0", b" 1", b"--1", b"1.2.3", b"1" * 19):
        assert _refuses(thousandths, text), text


def test_stamps_are_told_by_form():
    assert is_stamp(b"261025023000S") and is_stamp(b"261025023000W") and is_stamp(b"120515210000")
    assert is_stamp(b"632525252525W")  # whether that moment exists is for those who need it
    assert not is_stamp(b"26102502300S") and not is_stamp(b"261025023000X") and not is_stamp(b"2610250230000")


def test_codes():
    assert code_of(b"1-0:1.8.1") == "1-0:1.8.1"
    assert code_of(b"1-0:1.8.0*255") == "1-0:1.8.0"
    assert code_of(b"1-0:1.8.0*01") == "1-0:1.8.0*01"  # a past value never passes for the present one
    for address in (b"", b"1-", b"1-0:1 8.1", b"x", b"1-0:1.8.1/", b"1" * 21):
        assert _refuses(code_of, address), address


def test_lines_become_registers():
    lines = Lines()
    for line, expected in (
        (b"1-0:1.8.1(000100.500*kWh)", [("1-0:1.8.1", 100500, "kWh", None, None)]),
        (b"0-0:96.14.0(0002)", [("0-0:96.14.0", "0002", None, None, None)]),
        (b"0-0:96.13.0()", [("0-0:96.13.0", "", None, None, None)]),
        (b"0-0:1.0.0(170102192002W)", [("0-0:1.0.0", "170102192002W", None, None, None)]),
        (b"1-0:2.7.0(00.820kW)", [("1-0:2.7.0", 820, "kW", None, None)]),
        (b"1-0:1.8.0(5*florins)", [("1-0:1.8.0", 5000, "florins", None, None)]),
        (b"0-1:24.2.1(170102190000W)(00132.534*m3)", [("0-1:24.2.1", 132534, "m3", "170102190000W", None)]),
        (b"0-1:24.2.3(632525252525W)(00000.000)", [("0-1:24.2.3", "00000.000", None, "632525252525W", None)]),
        (
            b"1-1:31.4.0(040*A)(-040*A)",
            [("1-1:31.4.0", 40000, "A", None, None), ("1-1:31.4.0", -40000, "A", None, None)],
        ),
        (b"1-0:99.97.0(0)(0-0:96.7.19)", []),
        (
            b"1-0:99.97.0(1)(0-0:96.7.19)(191214015112W)(0000004571*s)",
            [("1-0:99.97.0", 4571000, "s", "191214015112W", None)],
        ),
        (
            b"0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(260301000000W)(260211100000W)(03.271*kW)",
            [("0-0:98.1.0", 3271, "kW", "260211100000W", "260301000000W")],
        ),
    ):
        assert lines.read(line) == expected, line


def test_a_reading_on_two_lines():
    lines = Lines()
    first = b"0-1:24.3.0(120515210000)(00)(60)(1)(0-1:24.2.1)(m3)"
    gas = [("0-1:24.2.1", 132534, "m3", "120515210000", None)]
    assert lines.read(first) == [] and lines.open
    assert lines.read(b"(00132.534)") == gas and not lines.open
    assert lines.read(first + b"(00132.534)") == gas  # some meters write it in one
    assert _refuses(lines.read, b"(00132.534)")  # the second line alone says nothing
    assert lines.read(first) == []
    assert lines.read(b"0-1:24.4.0(1)") == [("0-1:24.4.0", "1", None, None, None)] and not lines.open


def test_other_lines_are_refused():
    for line in (
        b"nonsense",
        b"1-0:1.8.1",
        b"1-0:1.8.1(1*kWh",
        b"1-0:1.8.1(1*kWh)x",
        b"1-0:1.8.1((1*kWh)",
        b"1-0:1.8.1(1*kWh))",
        b"1-0:1.8.1(x*kWh)",
        b"(1)",
        b"0-1:24.3.0(1)(2)(3)(4)(no code)(m3)",
    ):
        assert _refuses(Lines().read, line), line
