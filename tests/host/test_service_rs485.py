"""The bridge with RS-485: a scripted board with meters on its line, TCP clients, and what is published."""

import json
import socket
import struct
import time

import pytest
from host.rig import Rig, free_port, wait_until

from fluksometer.faults import parse_toml
from house.housefile import House
from house.modbus_meters import ModbusMeter, meter_truth

HOUSE = """
[mains]
voltage_v = 229.5
[[clamp]]
port = 1
current_a = 10.0
power_factor = 0.9
[[modbus]]
address = 7
model = "sdm120"
[[modbus]]
address = 8
model = "sdm120"
fault = "crc"
"""
TABLES = """
[rs485]
baud = 19200
format = "8E1"
tcp_port = {tcp}
answer_s = 0.5
[[modbus]]
address = 7
model = "sdm120"
function = "dryer"
poll_s = 1
[[modbus]]
address = 8
model = "sdm120"
poll_s = 1
[[modbus]]
address = 9
model = "sdm120"
poll_s = 1
"""


class Line:
    """The meters; everything else that is sent comes back the other way round."""

    def __init__(self) -> None:
        self.house = parse_toml(HOUSE, House, source="house")
        self.meters = [ModbusMeter(self.house, one) for one in self.house.modbus]
        self.heard: list[bytes] = []
        self.t_s = 3600.0

    def answer(self, data: bytes) -> list[bytes]:
        self.heard.append(data)
        if data.startswith(b"mute"):
            return []
        answers = [said for meter in self.meters if (said := meter.answer(data, self.t_s))]
        if not answers and data[0] not in (7, 8, 9):
            return [data[::-1]]
        return [piece for said in answers for piece in (said[:9], said[9:]) if piece]


@pytest.fixture
def line(rig: Rig) -> Line:
    line = Line()
    rig.board.on_line = line.answer
    return line


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=5)
    client.settimeout(5)
    return client


def test_meters_are_published_and_clients_served_between_them(rig: Rig, line: Line) -> None:
    rig.use("mosquitto")
    tcp = free_port()
    rig.board.plug()
    path = rig.write_config()
    path.write_text(path.read_text() + TABLES.format(tcp=tcp))
    listener = rig.listen("#")
    bridge = rig.bridge_from(path)
    wait_until(lambda: rig.board.settings.serial_baud == 19200, "settings")
    assert rig.board.settings.serial_format == 1
    one, other = connect(tcp), connect(tcp)
    for number in range(5):
        one.sendall(b"one %d" % number)
        other.sendall(b"other %d" % number)
        assert one.recv(100) == (b"one %d" % number)[::-1]
        assert other.recv(100) == (b"other %d" % number)[::-1]
    one.sendall(b"mute")
    time.sleep(0.1)  # else both are one piece
    one.sendall(b"and then")
    assert one.recv(100) == b"neht dna"
    other.close()
    line.t_s = 7200.0

    def sections() -> dict:
        told = [json.loads(entry[2]) for entry in listener.lines() if entry[1].endswith("/config/sensor")]
        return {one["function"]: (name, one) for name, one in told[-1].items() if "function" in one} if told else {}

    wait_until(lambda: "dryer import" in sections(), "sensors")
    name, found = sections()["dryer import"]
    assert (name, found["class"], found["port"], found["unit"]) == ("6", "uart", [6], "Wh")
    truth = meter_truth(line.house, line.meters[0].meter, 7200.0)
    energy = round(1000 * struct.unpack(">f", struct.pack(">f", truth["import"]))[0])
    listener.wait_for(rf"\d /sensor/{found['id']}/counter \[\d+,{energy},\"Wh\"\]")
    volts = sections()["dryer voltage"][1]["id"]
    listener.wait_for(rf"\d /sensor/{volts}/gauge \[\d+,229.5,\"V\"\]")
    bridge.wait_for_log("modbus_bad_crc")
    bridge.wait_for_log("modbus_no_answer")
    line.t_s = 60.0  # a smaller total
    bridge.wait_for_log("modbus_fell")
    assert bridge.stop() == 0
    assert bridge.log.count("modbus_no_answer ") <= 3 and "Traceback" not in bridge.log
    ids = json.loads((rig.folder / "state" / "identity.json").read_text())["sensors"]
    assert ids["modbus 7 import"] == found["id"]


def test_a_port_that_is_taken_is_told_and_tried_again(rig: Rig, line: Line) -> None:
    rig.use("embedded")
    rig.board.plug()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        tcp = taken.getsockname()[1]
        path = rig.write_config()
        path.write_text(path.read_text() + TABLES.format(tcp=tcp))
        bridge = rig.bridge_from(path)
        bridge.wait_for_log("rs485.tcp_port: 127.0.0.1")
    wait_until(lambda: _answers(tcp), "the socket", 15)
    assert bridge.stop() == 0


def _answers(port: int) -> bool:
    try:
        with connect(port):
            return True
    except OSError:
        return False
