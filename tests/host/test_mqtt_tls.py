"""TLS towards a real broker: what is trusted, what is refused, and the words that say how to mend it."""

import contextlib
import subprocess
import sys

import pytest
from host.certificates import Authority
from host.rig import MOSQUITTO, MOSQUITTO_SUB, Mosquitto, answers, environment, free_port, wait_until

from fluksometer.adapters.mqtt_sink import BrokerDown, BrokerUp, MqttSink
from fluksometer.domain.points import Point
from fluksometer.domain.topics import Message
from fluksometer.faults import FileFaults
from fluksometer.mqtt_tls import Tls, TlsFiles
from fluksometer.outbox import Outbox

pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"))


@contextlib.contextmanager
def broker(folder, server, ca, more=""):
    port = free_port()
    config = folder / "mosquitto.conf"
    text = f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\n"
    config.write_text(f"{text}cafile {ca.cert}\ncertfile {server.cert}\nkeyfile {server.key}\n{more}\n")
    process = subprocess.Popen([MOSQUITTO, "-c", config], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), "mosquitto")
        yield port
    finally:
        process.kill()
        process.wait()


def news(port, files, *, host="localhost", outbox=None):
    """What a sink tells first, its messages all delivered."""
    told = []
    sink = MqttSink(
        host=host,
        port=port,
        client_id="test",
        tell=told.append,
        outbox=outbox or Outbox(),
        tls=Tls(files, "meter.toml"),
    )
    sink.publish(Message("/t", "x"))
    sink.start()
    wait_until(lambda: told, "news")
    sink.stop()
    return told[0], sink


def down(words):
    return BrokerDown(f"the broker can't be reached: {words}")


def test_a_broker_of_a_trusted_authority_gets_everything(tmp_path, home):
    outbox = Outbox()
    for number in range(3000):  # more than what fits into one record of TLS, so acknowledgements wait decrypted
        last_id = outbox.append([Point("a" * 32, 0, "counter", number + 1, number * 1000, "Wh")])
    outbox.committed(last_id)
    with broker(tmp_path, home.issue("localhost"), home.files) as port:
        told, sink = news(port, TlsFiles(ca=home.files.cert), outbox=outbox)
    assert told == BrokerUp()
    assert sink.cursor == 3000
    assert sink.published == 3001


def test_an_authority_nobody_named_is_refused(tmp_path, home, stranger):
    with broker(tmp_path, stranger.issue("localhost"), stranger.files) as port:
        told, _ = news(port, TlsFiles(ca=home.files.cert))
        assert told == down(
            "its certificate comes from an authority that is not trusted: name that authority's certificate in mqtt.ca_file"
        )
        told, _ = news(port, TlsFiles())  # whom the host trusts
        assert "name that authority's certificate in mqtt.ca_file" in told.reason


def test_an_expired_certificate_is_refused(tmp_path, home):
    with broker(tmp_path, home.issue("localhost", first_day=-9, last_day=-2), home.files) as port:
        told, _ = news(port, TlsFiles(ca=home.files.cert))
    assert told.reason.startswith("the broker can't be reached: its certificate has expired: have the broker's")


def test_a_certificate_of_the_future_is_refused(tmp_path, home):
    with broker(tmp_path, home.issue("localhost", first_day=2, last_day=9), home.files) as port:
        told, _ = news(port, TlsFiles(ca=home.files.cert))
    assert told == down("its certificate is not valid yet: is the clock of this host right?")


@pytest.mark.parametrize(("host", "what"), [("localhost", "name"), ("127.0.0.1", "address")])
def test_a_certificate_for_somebody_else_is_refused(tmp_path, home, host, what):
    with broker(tmp_path, home.issue("mqtt.example.net"), home.files) as port:
        told, _ = news(port, TlsFiles(ca=home.files.cert), host=host)
    words = f"its certificate is for another {what} than {host}: set mqtt.broker to a name that is in the certificate"
    assert told == down(words)


def test_a_broker_without_tls_is_named(tmp_path, home):
    plain = Mosquitto(tmp_path)
    told, _ = news(plain.port, TlsFiles(ca=home.files.cert))
    plain.kill()
    assert told.reason.startswith("the broker can't be reached: ")


def test_a_broker_that_only_speaks_tls_is_named(tmp_path, home):
    with broker(tmp_path, home.issue("localhost"), home.files) as port:
        told = []
        sink = MqttSink(host="localhost", port=port, client_id="test", tell=told.append, outbox=Outbox())
        sink.start()
        wait_until(lambda: told, "news")
        sink.stop()
    assert told[0] == BrokerDown("whatever listens there does not speak MQTT, or only with TLS")


def test_a_client_certificate_opens_and_its_name_is_the_user(tmp_path, home):
    acl = tmp_path / "acl"
    acl.write_text("user meter\ntopic readwrite #\n")
    more = f"require_certificate true\nuse_identity_as_username true\nacl_file {acl}\n"
    own = home.issue("meter", client=True)
    with broker(tmp_path, home.issue("localhost"), home.files, more) as port:
        told, _ = news(port, TlsFiles(ca=home.files.cert, cert=own.cert, key=own.key))
    assert told == BrokerUp()


@pytest.mark.parametrize("case", ["none", "stranger's", "expired"])
def test_a_client_certificate_that_is_asked_for(tmp_path, home, stranger, case):
    own = {
        "none": None,
        "stranger's": stranger.issue("meter", client=True),
        "expired": home.issue("old", client=True, first_day=-9, last_day=-2),
    }[case]
    files = TlsFiles(ca=home.files.cert, cert=own and own.cert, key=own and own.key)
    with broker(tmp_path, home.issue("localhost"), home.files, "require_certificate true\n") as port:
        told, _ = news(port, files)
    words = {
        "none": "it asks for a certificate of the bridge: set mqtt.cert_file and mqtt.key_file",
        "stranger's": "it does not trust who issued the bridge's certificate: mqtt.cert_file must be of the broker's authority",
        "expired": "it refuses the bridge's certificate, which has expired: renew that in mqtt.cert_file",
    }[case]
    assert told == BrokerDown(f"the broker refuses the bridge: {words}")


def test_files_that_cannot_be_used_are_named(tmp_path, home, stranger):
    own, other = home.issue("meter", client=True), stranger.issue("meter", client=True)
    sealed = home.issue("sealed", client=True, passphrase=b"sesame")
    junk = tmp_path / "junk"
    junk.write_text("no PEM")
    of_key = "holds no key (PEM, without a passphrase) of the certificate in mqtt.cert_file"
    cases = [
        (TlsFiles(ca=tmp_path / "none"), f"mqtt.ca_file: {tmp_path / 'none'} can't be read: No such file or directory"),
        (TlsFiles(ca=junk), f"mqtt.ca_file: {junk} holds no certificate (PEM)"),
        (TlsFiles(cert=junk), f"mqtt.cert_file: {junk} holds no certificate (PEM)"),
        (TlsFiles(cert=own.cert, key=other.key), f"mqtt.key_file: {other.key} {of_key}"),
        (TlsFiles(cert=own.cert), f"mqtt.key_file: {own.cert} {of_key}"),
        (TlsFiles(cert=sealed.cert, key=sealed.key), f"mqtt.key_file: {sealed.key} {of_key}"),
    ]
    for files, fault in cases:
        with pytest.raises(FileFaults) as caught:
            Tls(files, "meter.toml")
        assert caught.value.lines() == [f"meter.toml: {fault}"]


def test_a_file_that_goes_while_the_bridge_runs_is_named_and_tried_again(tmp_path, home):
    copy = tmp_path / "ca.crt"
    copy.write_bytes(home.files.cert.read_bytes())
    tls = Tls(TlsFiles(ca=copy), "meter.toml")
    copy.unlink()
    told = []
    with broker(tmp_path, home.issue("localhost"), home.files) as port:
        sink = MqttSink(host="localhost", port=port, client_id="test", tell=told.append, outbox=Outbox(), tls=tls)
        sink.start()
        wait_until(lambda: told, "news")
        copy.write_bytes(home.files.cert.read_bytes())
        wait_until(lambda: BrokerUp() in told, "the connection", 8)
        sink.stop()
    assert told[0] == BrokerDown(f"mqtt.ca_file: {copy} can't be read: No such file or directory")


def test_top_takes_login_and_tls_of_a_configuration(tmp_path, home, stranger):
    own = home.issue("meter", client=True)
    config = tmp_path / "meter.toml"
    with broker(tmp_path, home.issue("localhost"), home.files, "require_certificate true\n") as port:

        def top(ca, more=""):
            text = f'[mqtt]\nbroker = "localhost"\nport = {port}\ntls = true\nca_file = "{ca.cert}"\n{more}\n'
            config.write_text(text + '[[sensor]]\nport = 1\nfunction = "a"\n')
            command = [sys.executable, "-m", "fluksometer", "top", "-c", config, "--plain", "--seconds", "1.5"]
            return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=20).stderr

        certified = f'cert_file = "{own.cert}"\nkey_file = "{own.key}"'
        assert "no sensor was heard: is a bridge connected to this broker?" in top(home.files, certified)
        assert "it asks for a certificate of the bridge: set mqtt.cert_file" in top(home.files)
        assert "name that authority's certificate in mqtt.ca_file" in top(stranger.files, certified)


def test_a_bridge_publishes_by_tls_and_leaves_its_will(rig, home, stranger):
    """The whole of it: configuration, login by certificate, and a wrong authority that check and log name."""
    own = home.issue("meter", client=True)
    more = "require_certificate true\nuse_identity_as_username true\n"
    text = '[device]\nstate = "state"\nclock = "trust"\n[board]\nport = "/nowhere"\n[mqtt]\nbroker = "localhost"\n'
    text += 'port = {port}\ntls = true\nca_file = "{ca}"\ncert_file = "{own.cert}"\nkey_file = "{own.key}"\n'
    text += '[[sensor]]\nport = 1\nfunction = "a"\n'
    config = rig.folder / "meter.toml"
    with broker(rig.folder, home.issue("localhost"), home.files, more) as port:
        config.write_text(text.format(port=port, ca=home.files.cert, own=own))
        bridge = rig.bridge_from(config)
        bridge.wait_for_log("mqtt_up")
        command = [MOSQUITTO_SUB, "-h", "localhost", "-p", str(port), "--cafile", str(home.files.cert)]
        command += ["--cert", str(own.cert), "--key", str(own.key), "-t", "/device/+/bridge/state", "-C", "2"]
        listening = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert listening.stdout.readline() == '{"state":"online"}\n'
        bridge.process.kill()
        assert listening.stdout.readline() == '{"state":"offline"}\n'
        listening.wait(5)
        config.write_text(text.format(port=port, ca=stranger.files.cert, own=own))
        rig.bridge_from(config).wait_for_log("name that authority's certificate in mqtt.ca_file")
    config.write_text(text.format(port=port, ca="nowhere.crt", own=own))
    command = [sys.executable, "-m", "fluksometer", "check", "-c", config]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=20)
    assert done.returncode == 2
    assert f"mqtt.ca_file: {rig.folder / 'nowhere.crt'} can't be read: No such file or directory" in done.stderr
