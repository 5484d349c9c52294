"""The unmodified ``tmpo`` client from PyPI in an environment of its own, and a server of a history in the original's form."""

import datetime
import fcntl
import http.server
import ipaddress
import json
import ssl
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from places import ROOT

from fluksometer.domain.tmpo import block_name
from fluksometer.domain.tmpo_sync import client_list, newest_asked

PACKAGES = ("tmpo==0.2.10", "pandas<2", "numpy<2")  # with later ones it answers empty series, and says nothing
TOKEN = "c" * 32

# Lines of JSON in, one of JSON out for each: [method, arguments]; a series as its list of [second, value].
DRIVER = """
import json, sys, warnings
warnings.simplefilter("ignore")
import tmpo
session = tmpo.Session(path=sys.argv[1])
session.host, session.crt = sys.argv[2], sys.argv[3]
for line in sys.stdin:
    method, arguments = json.loads(line)
    answer = getattr(session, method)(*arguments)
    if method == "series":
        answer = [[int(time.timestamp()), float(value)] for time, value in answer.items()]
    elif method == "list":
        answer = [[block[:4] for block in sensor] for sensor in answer]
    elif method == "last_datapoint":
        answer = [int(answer[0]), float(answer[1])]
    print(json.dumps(answer), flush=True)
"""


def client_python() -> Path:
    """The interpreter of the environment, made when it is not there yet; skips the test where its packages can't be had."""
    place = ROOT / ".cache" / "tmpo-client"
    python = place / "bin" / "python"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in several processes
        if not (place / "ready").exists():
            base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
            subprocess.run([base if base.exists() else sys.executable, "-m", "venv", place], check=True)
            done = subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], capture_output=True, text=True)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
                pytest.skip(f"{' '.join(PACKAGES)} can't be installed: {reason}")
            (place / "ready").touch()
    return python


class Client:
    """One session of the client."""

    def __init__(self, home: Path, server: "Server") -> None:
        home.mkdir()
        command = [client_python(), "-c", DRIVER, home, f"127.0.0.1:{server.port}", server.certificate]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def call(self, method: str, *arguments: object):
        self._process.stdin.write(json.dumps([method, arguments]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Server:
    """``/sensor/<sid>/tmpo/sync`` and blocks over https, as flukso.net serves them. ``asked``: paths with their queries."""

    def __init__(self, history, folder: Path) -> None:
        self.asked: list[str] = []
        self.certificate, key = _certificate(folder)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(history))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, history):
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                asked.append(self.path)
                status, kind, body = _answer(history, self.path, self.headers)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_about):
                pass

        return Handler


def _answer(history, path: str, headers) -> tuple[int, str, bytes]:
    url = urllib.parse.urlsplit(path)
    if headers["X-Version"] != "1.0" or headers["X-Token"] != TOKEN:
        return 401, "text/plain", b""
    match url.path.split("/"):
        case ["", "sensor", sensor_id, "tmpo", "sync"]:
            given = dict(urllib.parse.parse_qsl(url.query))
            newest = newest_asked(given["rid"], given["lvl"], given["bid"])
            return 200, "application/json", client_list(history.blocks(sensor_id), newest).encode()
        case ["", "sensor", sensor_id, "tmpo", rid, lvl, bid]:
            data = history.block(sensor_id, *block_name(rid, lvl, bid))
            return (200, "application/gzip", data) if data else (404, "text/plain", b"")
    return 400, "text/plain", b""


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    pem, key_pem = folder / "server.crt", folder / "server.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    key_pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return pem, key_pem
