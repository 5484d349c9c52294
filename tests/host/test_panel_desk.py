"""The desk of the panel: what the LEDs show, and what a press runs."""

import asyncio
import json
import sys
import time

import pytest
import structlog
from host.making import make_hello

from fluksometer.adapters.net_links import NetLinks, read_links
from fluksometer.adapters.run_program import run_program
from fluksometer.domain.server_light import ServerLight
from fluksometer.domain.terminal_readings import ButtonHeld, RadioStatus
from fluksometer.panel_desk import REPEAT_S, PanelDesk, leds_of
from fluksometer.shared.terminal_records import LED_FAST, LED_OFF, LED_ON, LED_SLOW, PANEL

DEVICE = "d" * 32
HELLO = make_hello()


def make_interface(net, name, *, kind="1", device=True, wireless=False, flags="0x1003", carrier="1\n"):
    folder = net / name
    folder.mkdir(parents=True)
    (folder / "type").write_text(kind + "\n")
    (folder / "flags").write_text(flags + "\n")
    if carrier is not None:
        (folder / "carrier").write_text(carrier)
    if device:
        (folder / "device").mkdir()
    if wireless:
        (folder / "phy80211").mkdir()


@pytest.mark.parametrize(
    ("wifi", "wired", "links"),
    [
        (None, "1\n", NetLinks(wired_linked=True)),
        (None, "0\n", NetLinks()),
        ({}, "0\n", NetLinks(wifi=True, wifi_linked=True)),
        ({"carrier": "0\n"}, "1\n", NetLinks(wifi=True, wired_linked=True)),
        ({"flags": "0x1002", "carrier": None}, "1\n", NetLinks(wired_linked=True)),
        ({"flags": "what", "carrier": "\xff"}, None, NetLinks()),
    ],
)
def test_links_are_read_from_the_kernel(tmp_path, wifi, wired, links):
    make_interface(tmp_path, "lo", kind="772", device=False)
    make_interface(tmp_path, "docker0", device=False)
    make_interface(tmp_path, "can0", kind="280")
    make_interface(tmp_path, "eth0", carrier=wired)
    if wifi is not None:
        make_interface(tmp_path, "wlan0", wireless=True, **wifi)
    (tmp_path / "bonding_masters").write_text("")
    assert read_links(tmp_path) == links


def test_without_linux_nothing_is_linked(tmp_path):
    assert read_links(tmp_path / "none") == NetLinks()


@pytest.mark.parametrize(
    ("links", "globe", "leds"),
    [
        (NetLinks(), LED_OFF, (LED_OFF, LED_OFF, LED_OFF)),
        (NetLinks(wired_linked=True), LED_FAST, (LED_OFF, LED_ON, LED_FAST)),
        (NetLinks(wifi=True), LED_OFF, (LED_FAST, LED_OFF, LED_OFF)),
        (NetLinks(wifi=True, wifi_linked=True), LED_ON, (LED_SLOW, LED_OFF, LED_ON)),
    ],
)
def test_what_the_leds_show(links, globe, leds):
    assert leds_of(links, globe) == leds


def test_the_globe_shows_the_server_where_there_is_one():
    light = ServerLight()
    desk = PanelDesk(DEVICE, {}, server=light)
    desk.broker(True)
    assert desk.step(HELLO, 1.0)[1] == [(PANEL, (0, 0, LED_OFF))]
    light.called(True)
    assert desk.step(HELLO, 2.0)[1] == [(PANEL, (0, 0, LED_FAST))]
    assert desk.step(HELLO, 3.5)[1] == [(PANEL, (0, 0, LED_ON))]
    light.called(False)
    assert desk.step(HELLO, 4.0)[1] == [(PANEL, (0, 0, LED_OFF))]


def test_the_board_is_told_after_each_hello_at_changes_and_again():
    desk = PanelDesk(DEVICE, {})
    assert desk.step(None, 0.0) == ([], []) and desk.next_deadline_s() is None
    assert desk.step(HELLO, 1.0) == ([], [(PANEL, (0, 0, 0))])
    assert desk.step(HELLO, 1.1) == ([], []) and desk.next_deadline_s() == 1.0 + REPEAT_S
    desk.broker(True)
    assert desk.step(HELLO, 2.0) == ([], [(PANEL, (0, 0, LED_ON))])
    assert desk.step(make_hello(t_us=5), 3.0)[1] and not desk.step(make_hello(t_us=5), 3.1)[1]
    assert desk.step(make_hello(t_us=5), 3.0 + REPEAT_S) == ([], [(PANEL, (0, 0, LED_ON))])
    assert desk.step(None, 14.0) == ([], []) and desk.next_deadline_s() is None


def test_a_press_is_told_and_runs_its_program(tmp_path):
    mark = tmp_path / "pressed; not a shell"
    program = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').close(); print('done')", str(mark)]
    make_interface(tmp_path / "net", "eth0")
    desk = PanelDesk(DEVICE, {"toggle network": program}, net=tmp_path / "net")
    status = RadioStatus(t_us=0, chip=0, group=0, **dict.fromkeys(RadioStatus.__slots__[3:], 0))
    assert desk.take(HELLO, status, 1.0, 1.0) == []
    woken = []

    async def serve():
        task = asyncio.create_task(desk.serve(lambda: woken.append(1)))
        (message,) = desk.take(HELLO, ButtonHeld(t_us=0, held_ms=3_000), 1_700_000_000.1234, 1.0)
        assert (message.topic, message.retain) == (f"/device/{DEVICE}/button", False)
        assert json.loads(message.payload) == {"time": 1700000000.123, "held_ms": 3000, "action": "toggle network"}
        (message,) = desk.take(HELLO, ButtonHeld(t_us=0, held_ms=15_000), None, 1.0)
        assert json.loads(message.payload) == {"time": None, "held_ms": 15000, "action": "restore network"}
        for _ in range(1000):
            if any(line["event"] == "button_program" for line in lines):
                break
            await asyncio.sleep(0.01)
        desk.take(HELLO, ButtonHeld(t_us=0, held_ms=3_000), None, 1.0)
        desk.take(HELLO, ButtonHeld(t_us=0, held_ms=3_000), None, 1.0)  # the one before waits yet
        await asyncio.sleep(0)  # it starts
        task.cancel()

    with structlog.testing.capture_logs() as lines:
        asyncio.run(serve())
    assert mark.exists() and woken == [1]
    assert [line for line in lines if line["event"] == "button_program"] == [
        {
            "event": "button_program",
            "log_level": "info",
            "action": "toggle network",
            "program": sys.executable,
            "exit_code": 0,
            "said": "done",
        }
    ]
    assert [line["action"] for line in lines if line["event"] == "button"][:2] == ["toggle network", "restore network"]
    assert [line["log_level"] for line in lines if line["event"] == "button_ignored"] == ["warning"]


def test_programs_that_fail_say_why():
    async def run(*words):
        return await run_program(list(words), 0.3)

    assert asyncio.run(run("/no/such/program")) == (None, "can't be started: No such file or directory")
    assert asyncio.run(run("sh", "-c", "printf 'a\\033[2J' >&2; exit 4")) == (4, "a [2J")
    began_s = time.monotonic()
    assert asyncio.run(run("sh", "-c", "sleep 30 & sleep 30")) == (None, "took longer than 0.3 s, and was ended")
    assert time.monotonic() - began_s < 3
    code, said = asyncio.run(run("sh", "-c", "yes | head -c 100000"))
    assert code == 0 and len(said) == 200
