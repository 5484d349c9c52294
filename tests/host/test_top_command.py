"""The live table, beside a real bridge and without one."""

import subprocess
import sys
import time
from pathlib import Path

from host.rig import answers, environment, free_port, wait_until
from host.test_service import greeted
from rich.console import Console

from fluksometer.domain.live_table import LiveTable
from fluksometer.top_command import draw


def top(port, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "fluksometer", "top", "--port", str(port), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(),
    )


def test_it_shows_names_power_totals_and_age(rig):
    rig.use("embedded")
    bridge = greeted(rig)
    rig.board.clamp(1, 248, 248 * 1000 * 3600, wall_s=time.time())
    rig.board.pulse(5, 3, edge_wall_s=time.time(), interval_us=30_000_000)
    wait_until(lambda: answers(rig.port), "broker")
    done = top(rig.port, "--plain", "--seconds", "1.5")
    assert done.returncode == 0, done.stderr
    rows = [line.split("│")[1:-1] for line in done.stdout.splitlines() if "│" in line]
    shown = {cells[0].strip(): [cell.strip() for cell in cells[1:4]] for cells in rows}
    assert shown == {
        "clamp 1": ["electricity", "2298 W", "2297 Wh"],
        "clamp 2": ["electricity", "-", "-"],
        "clamp 3": ["electricity", "-", "-"],
        "pulse 4": ["electricity", "-", "-"],
        "pulse 5": ["water", "28800 L/day", "30 L"],
    }
    assert bridge.stop() == 0


def test_no_broker_is_told_and_fails():
    port = free_port()
    done = top(port, "--seconds", "0.5")
    assert (done.returncode, done.stderr) == (1, f"fluksometer top: no broker answers at 127.0.0.1:{port}\n")


def test_a_broker_without_readings_is_told_and_fails(rig):
    rig.use("embedded")
    bridge = rig.bridge()
    bridge.wait_for_log("mqtt_up")
    done = top(rig.port, "--seconds", "0.7")
    assert done.returncode == 1
    assert "no fresh gauge and no counter was heard: is the board connected to the bridge?" in done.stderr
    assert bridge.stop() == 0


def test_the_port_must_be_one():
    for port in ("0", "65536", "x"):
        done = top(port)
        assert done.returncode == 2
        assert "is not a port: 1 to 65535" in done.stderr


def test_seconds_must_be_a_number_above_zero():
    assert top(1, "--seconds", "0").returncode == 2
    assert top(1, "--seconds", "x").returncode == 2


def test_the_problem_is_the_title():
    console = Console(width=80, file=None)
    with console.capture() as captured:
        console.print(draw(LiveTable(), 0.0, "no broker"))
    assert "no broker" in captured.get()


def test_the_host_must_be_one():
    for host in ("", "a..b", "mqtt://x", "[/b]"):
        done = top(1, "--host", host)
        assert (done.returncode, "is not a host name or address" in done.stderr) == (2, True)


def test_brackets_in_a_name_are_no_markup():
    table = LiveTable()
    section = b'{"1":{"id":"x","enable":1,"function":"[/b] lamp","port":[1]}}'
    table.take(f"/device/{'d' * 32}/config/sensor", section, retained=True, now_s=0.0)
    console = Console(width=80, file=None)
    with console.capture() as captured:
        console.print(draw(table, 0.0, None))
    assert "[/b] lamp" in captured.get()


def test_sigterm_ends_it_as_ctrl_c_does():
    command = [sys.executable, "-m", "fluksometer", "top", "--plain"]
    table = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: threads(table.pid) > 1, "the listening thread")
    table.terminate()
    assert table.wait(5) == 0
    assert table.stderr.read() == ""


def threads(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
