"""``fluksometer init``: an example configuration to begin with."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from fluksometer.command import Command
from fluksometer.errors import Failure

DESCRIPTION = """\
Write a commented example configuration. A file that is already there is never touched.

example:
  fluksometer init -c meter.toml"""

EXAMPLE = """\
# Configuration of a Fluksometer. All keys: docs/configuration.md
# After a change: fluksometer check -c THIS_FILE

[device]
name = "fluksometer"
# state = "state"           # where ids are kept; default: ~/.local/state/fluksometer

[board]
port = "auto"               # the one board on USB; or its path, as "/dev/ttyACM0"
# rate_hz = 20000           # samples a second of each clamp: 245 to 100000 for three clamps
# model = "free"            # or "flm02a", "flm02b": only what the terminals of those Fluksometers could be
# linearity = "chip"        # what the converter's codes mean: "chip", "none", or the file of your own board's table
# mains_hz = 50             # or 60

[mqtt]
broker = "embedded"         # a broker of our own; or the host name of yours
# port = 1883
# listen = "127.0.0.1"      # embedded only; "0.0.0.0" opens it, without any login, to your whole network
# username = "meter"        # another broker only
# password_file = "mqtt-password"
# tls = true                # another broker only; its certificate is verified
# ca_file = "ca.crt"        # whom to trust, if not those that this host trusts

# [homeassistant]           # finds all sensors by itself
# enable = true

# [influx]                  # every reading to InfluxDB or VictoriaMetrics too
# url = "http://127.0.0.1:8086"
# database = "home"

# [upload]                  # totals to a Flukso-compatible server, another bridge for instance: docs/upload.md
# enable = true
# url = "https://home.example.net:8090"
# key_file = "upload-key"
# [server]                  # other bridges upload to this one; fluksometer devices says which
# listen = "0.0.0.0"

# [tmpo]                    # the history of every sensor is kept beside the totals; 4000 MiB at most
# directory = "/mnt/usb/tmpo"
# most_mb = 4000
# [p1]                      # the smart meter on the board's P1 terminal; its sensors are found by themselves
# port = "board"            # or the serial port of a P1 cable on this host, as "/dev/ttyUSB0"
# key_file = "p1-key"       # Luxembourg, Austria: the key of your operator, 32 hex digits
# [radio]                   # FluksoKubes; pair them with: fluksometer kubes pair
# network = "flukso"        # or "jeenode"

[web]                       # HTTP: the last minute of each sensor, history, metrics
# listen = "127.0.0.1"      # "0.0.0.0" shows your whole network, without login, what is used now; history needs a token
# port = 8080
# price_per_kwh = 0.30      # for what a year costs (unit=eurperyear)

# [panel]
# heartbeat_port = 4        # the heartbeat LED follows this pulse input
# on_toggle = ["/usr/local/bin/toggle-network"]   # run when the button was held for 2 to 5 s; also on_restore, on_reset

# Ports 1 to 3 take clamps or one voltage, ports 2 to 5 pulses.
[[sensor]]
port = 1
function = "clamp 1"        # its name: 1 to 16 letters, digits, spaces, hyphens
clamp_a = 50                # so many A give 1 V at the pin
# model = "sct-013-050"     # instead of clamp_a: a known clamp; fluksometer clamps lists them
# role = "solar"            # what the line is: "grid", "solar", "battery", "load"
voltage_v = 230             # power = current x this voltage

[[sensor]]
port = 2
function = "clamp 2"
clamp_a = 50

[[sensor]]
port = 3
function = "clamp 3"
clamp_a = 50
# adapter_v = 400           # instead of clamp_a: the mains voltage, so many V give 1 V at the pin. The clamps beside it
                            # then have real power with a sign; a second sensor with direction = "export" counts export

[[sensor]]
port = 4
function = "pulse 4"
type = "electricity"        # or "gas", "water"
constant = 1                # Wh per pulse (litres for gas and water): 1000 pulses per kWh are 1, 2000 are 0.5

[[sensor]]
port = 5
function = "pulse 5"
type = "water"
constant = 0.5
preset = "reed"             # how its contact closes: "s0" (the default), "reed", "opto"
# min_width_ms = 30         # a level shorter than this is bounce
# min_gap_ms = 200          # from the beginning of one pulse to that of the next
# enable = false            # keep the entry, but don't measure
"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``init``."""
    parser.add_argument(
        "-c", "--config", type=Path, default=Path("fluksometer.toml"), metavar="FILE", help="default: %(default)s"
    )


def run(arguments: Namespace) -> int:
    """Write the example."""
    try:
        with arguments.config.open("x", encoding="utf-8") as file:
            file.write(EXAMPLE)
    except FileExistsError:
        print(f"{arguments.config}: is there already, and stays as it is", file=sys.stderr)
        return 2
    except OSError as error:
        raise Failure(f"{arguments.config}: can't be written: {error.strerror}") from error
    print(f"{arguments.config}: written. Next: fluksometer run -c {arguments.config}")
    return 0


COMMAND = Command(
    help="write an example configuration to begin with", description=DESCRIPTION, configure=configure, run=run
)
