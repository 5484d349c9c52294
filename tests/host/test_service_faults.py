"""What may go wrong around a running bridge: no disk for its log, a thread that dies, ids given twice, a terminal that closes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from host.rig import environment, free_port, wait_until
from host.test_service import child_of, greeted

from fluksometer import service
from fluksometer.adapters.calibration_file import CalibrationFile
from fluksometer.calibrator import Calibrator
from fluksometer.config import Config
from fluksometer.domain.told import ToldBook
from fluksometer.errors import Failure
from fluksometer.faults import parse_toml
from fluksometer.service import Bridge
from fluksometer.storage.ledger import Ledger


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_a_log_that_can_not_be_written_stops_no_metering(rig, redirection):
    rig.use("embedded")
    rig.board.plug()
    command = f'exec "{sys.executable}" -m fluksometer run -c "{rig.write_config()}" {redirection}'
    bridge = subprocess.Popen(command, shell=True, env=environment())
    rig.board.wait_for_host()
    rig.listen("/device/#").wait_for(r'. /device/.*"board":"Scripted Pico".*')
    bridge.terminate()
    assert bridge.wait(10) in (0, 120)  # 120: Python itself can't flush its standard error at the end


def test_a_broker_whose_port_was_taken_meanwhile_is_told_once(rig):
    rig.use("embedded")
    bridge = greeted(rig)
    os.kill(child_of(bridge.process.pid), signal.SIGSTOP)  # so that it can't be started again before the port is taken
    broker = child_of(bridge.process.pid)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        os.kill(broker, signal.SIGKILL)

        def taken():
            try:
                other.bind(("127.0.0.1", rig.port))
            except OSError:
                return False
            return True

        wait_until(taken, "the port")
        other.listen()
        bridge.wait_for_log("broker_start_failed")
        assert bridge.log.count("broker_died") == 1
        assert f"port {rig.port} is taken" in bridge.log
    assert bridge.stop() == 0


def test_a_terminal_that_closes_ends_it_in_good_order(rig):
    rig.use("embedded")
    bridge = greeted(rig)
    assert bridge.stop(signal.SIGHUP) == 0
    assert "stopped" in bridge.log


def test_an_id_given_twice_is_a_fault(rig):
    rig.use("embedded")
    bridge = rig.bridge()
    bridge.wait_for_log("sensor")
    bridge.wait_for_log("link_down")
    assert bridge.stop() == 0
    made = json.loads((rig.folder / "state/identity.json").read_text())["sensors"]["1 analog"]
    config = rig.write_config()
    config.write_text(config.read_text().replace("clamp_a = 100", f'clamp_a = 100\nid = "{made}"'))
    command = [sys.executable, "-m", "fluksometer", "run", "-c", config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment())
    assert (done.returncode, done.stderr) == (2, f"{config}: sensor[1].id: {made} is that of sensor[0] too\n")


def test_a_thread_that_dies_ends_the_bridge_with_its_reason(monkeypatch, capsys, tmp_path):
    class Broken:
        name, down = "mqtt", None
        published = cursor = 0

        def __init__(self, **_more):
            pass

        def publish(self, _message):
            pass

        def start(self):
            service.threading.Thread(target=lambda: 1 // 0, name="mqtt").start()

        def stop(self):
            pass

        def wake(self):
            pass

    monkeypatch.setattr(service, "MqttSink", Broken)
    config = parse_toml(
        f'[board]\nport = "/nowhere"\n[mqtt]\nbroker = "127.0.0.1"\nport = {free_port()}\n'
        '[[sensor]]\nport = 1\nfunction = "a"\n',
        Config,
        source="",
    )
    calibrator = Calibrator(CalibrationFile(tmp_path), [], {}, mains_hz=50)
    ledger = Ledger.open(tmp_path / "ledger.db", limit_bytes=1 << 24)
    bridge = Bridge(config, device_id="0" * 32, sensors=[], calibrator=calibrator, told=ToldBook(), ledger=ledger)
    with pytest.raises(Failure, match=r"the thread mqtt died of ZeroDivisionError: integer division"):
        asyncio.run(bridge.run())
    assert "Traceback" in capsys.readouterr().err
