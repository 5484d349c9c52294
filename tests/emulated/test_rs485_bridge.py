"""RS-485 from a Modbus client to the meters and back: client, TCP socket, bridge, emulated chip, line, emulated meters."""

import asyncio
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from emulated.board import Emulator
from host.rig import MOSQUITTO, MOSQUITTO_SUB, BridgeProcess, Listener, Mosquitto, free_port, wait_until
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from house.housefile import House, read_house
from house.modbus_meters import meter_truth

pytestmark = pytest.mark.emulated

HOUSE = """
[mains]
frequency_hz = 49.98
voltage_v = 231.5
[[clamp]]
port = 1
current_a = 13.7
power_factor = 0.92
[[clamp]]
port = 2
current_a = 4.25
power_factor = -0.8
[[clamp]]
port = 3
current_a = 21.0
[rs485]
echo = true
[[modbus]]
address = 1
model = "sdm120"
ports = [1]
baud = {baud}
format = "{form}"
turnaround_us = 304
[[modbus]]
address = 2
model = "sdm630"
ports = [1, 2, 3]
baud = {baud}
format = "{form}"
[[modbus]]
address = 3
model = "abb-b23"
ports = [3, 1, 2]
baud = {baud}
format = "{form}"
turnaround_us = 20000
[[modbus]]
address = 4
model = "sdm120"
fault = "silent"
baud = {baud}
format = "{form}"
[[modbus]]
address = 5
model = "sdm120"
fault = "crc"
baud = {baud}
format = "{form}"
[[modbus]]
address = 6
model = "sdm120"
fault = "exception"
baud = {baud}
format = "{form}"
"""
CONFIG = """
[device]
state = "state"
clock = "trust"
[board]
port = "{port}"
rate_hz = 1000
linearity = "none"
[mqtt]
broker = "127.0.0.1"
port = {mqtt}
[[sensor]]
port = 1
function = "clamp 1"
clamp_a = 50
[rs485]
baud = {baud}
format = "{form}"
tcp_port = {tcp}
answer_s = {answer_s}
"""
METER = """
[[modbus]]
address = {address}
model = "{model}"
function = "{function}"
poll_s = 3600
"""
GOOD = {1: ("sdm120", "dryer"), 2: ("sdm630", "house"), 3: ("abb-b23", "solar")}


class Chain:
    """Emulator and bridge as programs of their own, with mosquitto between the bridge and the listener."""

    def __init__(self, folder: Path, flash: Path, baud: int, form: str, answer_s: float) -> None:
        self.house_file, self.tcp = folder / "house.toml", free_port()
        self.house_file.write_text(HOUSE.format(baud=baud, form=form))
        self.house: House = read_house(self.house_file)
        self.mosquitto = Mosquitto(folder)
        (folder / "pico.flash").write_bytes(flash.read_bytes())
        self.emulator = Emulator(folder, house=self.house_file)
        self.emulator.__enter__()
        self.listener = Listener(self.mosquitto.port, "#", folder)
        self._config = folder / "meter.toml"
        values = {
            "port": self.emulator.link,
            "mqtt": self.mosquitto.port,
            "baud": baud,
            "form": form,
            "tcp": self.tcp,
            "answer_s": answer_s,
        }
        self._text = CONFIG.format(**values)
        self.bridge: BridgeProcess | None = None

    def start(self, meters: dict[int, tuple[str, str]]) -> BridgeProcess:
        tables = [METER.format(address=at, model=model, function=name) for at, (model, name) in meters.items()]
        self._config.write_text(self._text + "".join(tables))
        self.bridge = BridgeProcess(self._config)
        self.bridge.wait_for_log("rate_hz=1000", 30)
        return self.bridge

    def close(self) -> None:
        if self.bridge and self.bridge.process.poll() is None:
            assert self.bridge.stop() == 0, self.bridge.log
        self.listener.process.kill()
        self.mosquitto.kill()
        self.emulator.__exit__()

    def sensors(self) -> dict[str, dict[str, Any]]:
        """Sections of the published configuration by function, with their name."""
        configs = [json.loads(line[2]) for line in self.listener.lines() if line[1].endswith("/config/sensor")]
        sections = configs[-1] if configs else {}
        return {one["function"]: one | {"section": name} for name, one in sections.items() if "function" in one}


@pytest.fixture
def chain(tmp_path: Path, flashed: Path) -> Iterator[Chain]:
    if not (MOSQUITTO and MOSQUITTO_SUB):
        pytest.skip("mosquitto and mosquitto_sub are not installed")
    chain = Chain(tmp_path, flashed, 115_200, "8N1", answer_s=3.0)  # a busy machine emulates slower than real time
    yield chain
    chain.close()


def floats(registers: list[int]) -> list[float]:
    return list(struct.unpack(f">{len(registers) // 2}f", struct.pack(f">{len(registers)}H", *registers)))


def as_float32(value: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


async def read_all(port: int) -> dict[int, Any]:
    """The registers that an unmodified client reads of each meter; None for one that does not answer."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=FramerType.RTU, timeout=12, retries=1)
    doubter = AsyncModbusTcpClient("127.0.0.1", port=port, framer=FramerType.RTU, timeout=4, retries=0)
    assert await client.connect() and await doubter.connect()
    try:
        said: dict[int, Any] = {
            1: await client.read_input_registers(0, count=78, device_id=1),
            2: await client.read_input_registers(0, count=78, device_id=2),
            3: await client.read_holding_registers(0x5B00, count=59, device_id=3),
            6: await client.read_input_registers(0, count=2, device_id=6),
        }
        for address in (4, 5):
            try:
                said[address] = await doubter.read_input_registers(0, count=2, device_id=address)
            except ModbusIOException as error:
                said[address] = error
        said[13] = await client.read_holding_registers(0x5000, count=8, device_id=3)
        return said
    finally:
        client.close()
        doubter.close()


def test_modbus_meters_reach_a_client_and_mqtt_at_the_same_time(chain: Chain) -> None:
    bridge = chain.start({**GOOD, 4: ("sdm120", "silent"), 5: ("sdm120", "noisy"), 6: ("sdm120", "busy")})
    check_client(chain, asyncio.run(read_all(chain.tcp)))
    check_published(chain, bridge)


def check_client(chain: Chain, said: dict[int, Any]) -> None:
    """What an unmodified client has read is what the house holds."""
    truths = {meter.address: meter_truth(chain.house, meter, 1.0) for meter in chain.house.modbus}
    single, three = floats(said[1].registers), floats(said[2].registers)
    one, house = truths[1], truths[2]
    names = {0: "voltage", 3: "current", 6: "power", 9: "apparent", 12: "reactive", 15: "power_factor", 35: "frequency"}
    for place, name in names.items():
        assert single[place] == as_float32(one[name + "_1"] if name != "frequency" else one[name]), name
        for phase in (1, 2, 3) if name != "frequency" else ():
            assert three[place + phase - 1] == as_float32(house[f"{name}_{phase}"]), (name, phase)
    assert three[26] == as_float32(house["power"]) and three[35] == as_float32(49.98)
    assert single[36] > 0 and single[37] == 0 and three[36] > single[36] and three[37] > 0
    b23, solar = said[3].registers, truths[3]
    for phase, port in enumerate((3, 1, 2), 1):
        low = {name: (b23[at + 2 * (phase - 1)] << 16) + b23[at + 1 + 2 * (phase - 1)] for name, at in B23.items()}
        clamp = next(clamp for clamp in chain.house.clamp if clamp.port == port)
        assert low["voltage"] == 2315 and low["current"] == round(clamp.current_a[0][1] * 100)
        assert (low["power"] - (low["power"] >> 31 << 32)) == round(solar[f"power_{phase}"] * 100)
    assert b23[0x2C] == 4998
    assert said[6].isError() and said[6].exception_code == 6
    for address in (4, 5):
        assert isinstance(said[address], ModbusIOException)


B23 = {"voltage": 0, "current": 12, "power": 0x16}


def check_published(chain: Chain, bridge: BridgeProcess) -> None:
    """What the bridge has polled is published; what it could not is in its log, by kind."""
    wait_until(lambda: "house import" in chain.sensors(), lambda: chain.sensors())
    sensors = chain.sensors()
    assert sensors["dryer import"]["section"] == "6" and sensors["dryer import"]["class"] == "uart"
    for meter in chain.house.modbus[:3]:
        truth = meter_truth(chain.house, meter, 1.0)
        name = GOOD[meter.address][1]
        for function, section in sensors.items():
            quantity = function.removeprefix(name + " ").replace(" ", "_")
            if not function.startswith(name + " ") or quantity in ("import", "export"):
                continue
            asked = quantity if meter.model != "sdm120" or quantity == "frequency" else quantity + "_1"
            line = chain.listener.wait_for(
                rf"1 /sensor/{section['id']}/gauge .*|0 /sensor/{section['id']}/gauge .*", 30
            )
            _second, value, unit = json.loads(line[2])
            step = 0.0011 if meter.model != "abb-b23" else 0.06 if quantity.startswith("voltage") else 0.0051
            assert value == pytest.approx(truth[asked], abs=step), (function, value)
            assert unit == section["unit"]
    counter = chain.listener.wait_for(rf"\d /sensor/{sensors['house import']['id']}/counter .*", 30)
    assert json.loads(counter[2])[2] == "Wh"
    for event in ("modbus_no_answer", "modbus_bad_crc", "modbus_exception"):
        bridge.wait_for_log(event, 30)
    assert bridge.stop() == 0
    summary = next(line for line in reversed(bridge.log.splitlines()) if "summary" in line)
    assert "modbus_bad_crc" in summary and "modbus_polls" in summary
