"""What a smart meter of each dialect sends: its lines, in the order and with the digits that the standards of docs/p1.md give.

A row is a code, what stands there (p1_values.py has the names), digits before and behind the point, unit. A row that begins with
a star stands for all three phases: # is 2, 4, 6 (or 3, 5, 7) in the code, and the phase in the name. "=" is a text as it stands.
"""

from typing import Final, NamedTuple


class Dialect(NamedTuple):
    """``head``: identification; ``version``: what 1-3:0.2.8 or 0-0:96.1.4 says; ``mbus``: how devices are told ("3" is DSMR 3)."""

    head: str
    interval_s: float
    mbus: str
    rows: str
    crc: bool = True
    slow: bool = False
    encrypted: bool = False


_TARIFFS: Final = """
1-0:1.8.1 import_1 6.3 kWh
1-0:1.8.2 import_2 6.3 kWh
1-0:2.8.1 export_1 6.3 kWh
1-0:2.8.2 export_2 6.3 kWh
0-0:96.14.0 tariff
1-0:1.7.0 p_import 2.3 kW
1-0:2.7.0 p_export 2.3 kW
"""
_QUALITY: Final = """
0-0:96.7.21 =00013
0-0:96.7.9 =00002
1-0:99.97.0 failures
*1-0:{3}2.32.0 =00003
*1-0:{3}2.36.0 =00000
0-0:96.13.0 text
"""
_VOLTS: Final = "*1-0:{3}2.7.0 v{p} 3.1 V\n"
_WATTS: Final = "*1-0:{2}1.7.0 p{p}_import 2.3 kW\n*1-0:{2}2.7.0 p{p}_export 2.3 kW\n"
_OLD: Final = """
0-0:96.1.1 id
1-0:1.8.1 import_1 5.3 kWh
1-0:1.8.2 import_2 5.3 kWh
1-0:2.8.1 export_1 5.3 kWh
1-0:2.8.2 export_2 5.3 kWh
0-0:96.14.0 tariff
1-0:1.7.0 p_import {digits}.2 kW
1-0:2.7.0 p_export {digits}.2 kW
0-0:17.0.0 {limit}
0-0:96.3.10 =1
0-0:96.13.1 =
0-0:96.13.0 text
"""
_DSMR4: Final = (
    "1-3:0.2.8 =42\n0-0:1.0.0 clock\n0-0:96.1.1 id" + _TARIFFS + "0-0:17.0.0 =999.9*kW\n0-0:96.3.10 =1" + _QUALITY
)
_DSMR5: Final = "1-3:0.2.8 =%s\n0-0:1.0.0 clock\n0-0:96.1.1 id" + _TARIFFS + _QUALITY + _VOLTS
_EMUCS: Final = (
    "0-0:96.1.4 =50217\n0-0:96.1.1 id\n0-0:1.0.0 clock"
    + _TARIFFS
    + "1-0:1.4.0 demand 2.3 kW\n1-0:1.6.0 peak\n0-0:98.1.0 peaks\n"
    + _WATTS
    + _VOLTS
    + "*1-0:{3}1.7.0 a{p} 3.2 A\n0-0:96.3.10 =1\n0-0:17.0.0 =999.9*kW\n1-0:31.4.0 =999*A\n0-0:96.13.0 text\n"
)
_TOTALS: Final = """
1-0:1.8.0 import {digits}.3 kWh
1-0:2.8.0 export {digits}.3 kWh
1-0:3.8.0 var_import {digits}.3 kvarh
1-0:4.8.0 var_export {digits}.3 kvarh
"""
_SWEDEN: Final = (
    "0-0:1.0.0 clock"
    + _TOTALS.format(digits=8)
    + "1-0:1.7.0 p_import 4.3 kW\n1-0:2.7.0 p_export 4.3 kW\n1-0:3.7.0 q_import 4.3 kvar\n1-0:4.7.0 q_export 4.3 kvar\n"
    + "*1-0:{2}1.7.0 p{p}_import 4.3 kW\n*1-0:{2}2.7.0 p{p}_export 4.3 kW\n"
    + "*1-0:{2}3.7.0 q{p}_import 4.3 kvar\n*1-0:{2}4.7.0 q{p}_export 4.3 kvar\n"
    + _VOLTS
    + "*1-0:{3}1.7.0 a{p} 3.1 A\n"
)
_LUXEMBOURG: Final = (
    "1-3:0.2.8 =42\n0-0:1.0.0 clock\n0-0:42.0.0 id"
    + _TOTALS.format(digits=6)
    + "1-0:1.7.0 p_import 2.3 kW\n1-0:2.7.0 p_export 2.3 kW\n1-0:3.7.0 q_import 2.3 kvar\n1-0:4.7.0 q_export 2.3 kvar\n"
    + "0-0:17.0.0 =027.6*kVA\n1-0:9.7.0 s_import 2.3 kVA\n1-0:10.7.0 s_export 2.3 kVA\n0-0:96.3.10 =1\n0-0:96.7.21 =01067\n"
    + "0-0:96.13.0 text\n"
    + _VOLTS
    + "*1-0:{3}1.7.0 a{p} 3.0 A\n"
    + _WATTS
)
_HUNGARY: Final = (
    "0-0:1.0.0 clock\n0-0:42.0.0 =AUX1030300000001\n0-0:96.1.0 plain_id\n0-0:96.14.0 tariff\n0-0:96.50.68 =ON\n"
    + "0-0:17.0.0 =90.000*kW\n1-0:1.8.0 import 6.3 kWh\n"
    + "".join(f"1-0:1.8.{n} import_{n} 6.3 kWh\n" for n in (1, 2, 3, 4))
    + "1-0:2.8.0 export 6.3 kWh\n"
    + "".join(f"1-0:2.8.{n} export_{n} 6.3 kWh\n" for n in (1, 2, 3, 4))
    + "1-0:3.8.0 var_import 6.3 kvarh\n1-0:4.8.0 var_export 6.3 kvarh\n"
    + "".join(f"1-0:{n + 4}.8.0 var_q{n} 6.3 kvarh\n" for n in (1, 2, 3, 4))
    + "1-0:15.8.0 combined 6.3 kWh\n"
    + _VOLTS
    + "*1-0:{3}1.7.0 a{p} 3.0 A\n1-0:13.7.0 pf 1.3\n*1-0:{3}3.7.0 pf{p} 1.3\n1-0:14.7.0 hz 2.2 Hz\n"
    + "1-0:1.7.0 p_import 2.3 kW\n1-0:2.7.0 p_export 2.3 kW\n"
    + "".join(f"1-0:{n + 4}.7.0 q_q{n} 2.3 kvar\n" for n in (1, 2, 3, 4))
    + "*1-0:{3}1.4.0 =200*A\n0-0:98.1.0 month\n0-0:96.13.0 text\n"
)
_AUSTRIA: Final = """
1-3:0.2.8 =50
0-0:1.0.0 clock
1-0:1.8.0 import 9.0 Wh
1-0:1.8.1 import_1 9.0 Wh
1-0:1.8.2 import_2 9.0 Wh
1-0:1.7.0 p_import 9.0 W
1-0:2.8.0 export 9.0 Wh
1-0:2.8.1 export_1 9.0 Wh
1-0:2.8.2 export_2 9.0 Wh
1-0:2.7.0 p_export 9.0 W
1-0:3.8.0 var_import 9.0 varh
1-0:3.7.0 q_import 9.0 var
1-0:4.8.0 var_export 9.0 varh
1-0:4.7.0 q_export 9.0 var
"""
_SWITZERLAND: Final = (
    "0-0:1.0.0 clock\n0-0:0.0.0 id\n0-0:96.1.4 =50220"
    + _TARIFFS.replace("1-0:", "1-1:")
    + _QUALITY
    + _VOLTS
    + "*1-0:{3}1.7.0 a{p} 3.2 A\n"
    + _WATTS
    + "1-0:1.4.0 demand 2.3 kW\n1-1:1.6.0 peak\n"
)
_IRELAND: Final = (
    "0-0:1.0.0 clock\n0-0:96.1.0 plain_id"
    + _TARIFFS
    + _WATTS
    + _VOLTS
    + "*1-0:{3}1.7.0 a{p} 3.0 A\n0-0:96.3.10 =1\n0-0:96.13.0 text\n"
)

DIALECTS: Final = {
    "dsmr2": Dialect("HSE5\\HOUSE-22", 10, "2", _OLD.format(digits=4, limit="=0999.00*kW"), crc=False, slow=True),
    "dsmr3": Dialect("HSE5\\HOUSE-30", 10, "3", _OLD.format(digits=3, limit="=016*A"), crc=False, slow=True),
    "dsmr4": Dialect("HSE5\\HOUSE-42", 10, "4", _DSMR4 + "*1-0:{3}1.7.0 a{p} 3.0 A\n" + _WATTS),
    "dsmr5": Dialect("HSE5\\HOUSE-50", 1, "4", _DSMR5 % "50" + "*1-0:{3}1.7.0 a{p} 3.0 A\n" + _WATTS),
    "smr5.5": Dialect(
        "HSE5\\HOUSE-55", 1, "4", _DSMR5 % "55" + "*1-0:{3}1.7.0 a{p} 3.2 A\n" + _WATTS + "1-0:1.4.0 demand 2.3 kW\n"
    ),
    "emucs": Dialect("FLU5\\253000001_A", 1, "belgium", _EMUCS),
    "luxembourg": Dialect("Lux5\\253000001_D", 10, "4", _LUXEMBOURG, encrypted=True),
    "sweden": Dialect("HSE5\\253000001_A", 10, "", _SWEDEN),
    "hungary": Dialect("AUX59900000001", 10, "", _HUNGARY),
    "austria": Dialect("EST5\\253710001_A", 10, "", _AUSTRIA),
    "switzerland": Dialect("LGF5E360", 10, "", _SWITZERLAND),
    "iskra-ie": Dialect("ISK5\\2IE5T-200", 10, "", _IRELAND),
}


def rows_of(dialect: Dialect, phases: int) -> list[list[str]]:
    """The rows, each as its words, those of all phases written out."""
    rows = []
    for line in filter(None, dialect.rows.splitlines()):
        for phase in range(1, phases + 1) if line.startswith("*") else (1,):
            text = line.removeprefix("*").replace("{p}", str(phase))
            text = text.replace("{2}", str(2 * phase)).replace("{3}", str(2 * phase + 1))
            rows.append(text.split(" ", 3))
    return rows
