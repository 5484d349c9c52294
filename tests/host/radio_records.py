"""What a scripted board's radio says, and what kubes send."""

import json
import subprocess

from host.rig import MOSQUITTO_SUB, wait_until
from places import ROOT

from fluksometer.shared import terminal_records

VECTORS = json.loads((ROOT / "tests/vectors/rf12.json").read_text(encoding="utf-8"))
FRAMES = {one["name"]: one for one in VECTORS["frames"]}
PAIR_REQUEST = bytes.fromhex(FRAMES["pair request of a new FLK01B"]["payload"])
WEATHER_A = bytes.fromhex(FRAMES["measurements of an FLK01A, node 3"]["payload"])
WEATHER_B = bytes.fromhex(FRAMES["measurements of an FLK01B, node 5"]["payload"])


def packet(board, group, header, payload, rssi_dbm=-71):
    """The board has heard a packet."""
    record = terminal_records.PACKET
    board.keep(record.kind, record.pack(board.t_us(), group, header, rssi_dbm, 0, bytes(payload)))


def radio_status(board, chip, group=1):
    record = terminal_records.RADIO_STATUS
    board.send(record.kind, record.pack(board.t_us(), chip, group, *range(8)))


def next_sent(board, name, timeout_s=10.0):
    """The first record of that name that the bridge sent to the board; it and all before are forgotten."""

    def found():
        return next((at for at, one in enumerate(board.sent) if one[0] == name), None)

    wait_until(lambda: found() is not None, lambda: f"{name} in {board.sent}", timeout_s)
    at = found()
    values = board.sent[at][1]
    del board.sent[: at + 1]
    return values


def publish(rig, topic, payload=""):
    """A stranger's message to the bridge."""
    command = [MOSQUITTO_SUB.replace("mosquitto_sub", "mosquitto_pub"), "-p", str(rig.port), "-t", topic]
    command += ["-m", payload] if payload else ["-n"]
    subprocess.run(command, check=True, timeout=10)
