"""Calls to a server: TLS that is trusted or not, kept connections, and answers of any kind."""

import http.server
import socket
import ssl
import threading

import pytest
from host.certificates import Authority
from host.rig import free_port

from fluksometer.http_call import HttpCaller
from fluksometer.sinks import Undelivered


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers what it is asked, on kept connections; counts those."""

    protocol_version = "HTTP/1.1"
    connections: list[object] = []
    hang_up_after = 1000

    def setup(self) -> None:
        super().setup()
        self.connections.append(self)
        self.calls = 0

    def do_POST(self) -> None:
        self.calls += 1
        body = self.path.encode() + b" " + self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.calls >= self.hang_up_after

    def log_message(self, *_args) -> None: ...


@pytest.fixture
def serve():
    servers = []

    def start(certificate=None, **more):
        handler = type("Handler", (Echo,), {"connections": [], **more})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_port, handler

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_calls_go_over_one_connection_below_the_path_of_the_address(serve):
    port, handler = serve()
    caller = HttpCaller(f"http://127.0.0.1:{port}/insert/0/")
    answers = [caller.post("/write?db=a", b"x", {}) for _ in range(3)]
    assert [one.body for one in answers] == [b"/insert/0/write?db=a x"] * 3
    assert answers[0].retry_after_s == 7.0 and len(handler.connections) == 1


def test_a_connection_that_was_closed_meanwhile_costs_no_call(serve):
    port, handler = serve(hang_up_after=1)
    caller = HttpCaller(f"http://127.0.0.1:{port}")
    assert [caller.post("/", b"x", {}).status for _ in range(3)] == [200] * 3 and len(handler.connections) == 3


def test_a_certificate_of_ones_own_is_trusted_when_it_is_named_and_else_not(serve, tmp_path):
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    port, _ = serve(ours.issue("localhost"))
    url = f"https://localhost:{port}"
    assert HttpCaller(url, ca_file=ours.files.cert).post("/", b"x", {}).body == b"/ x"
    for ca_file in (None, others.files.cert):
        with pytest.raises(Undelivered, match="has a certificate that is not trusted"):
            HttpCaller(url, ca_file=ca_file).post("/", b"x", {})
    with pytest.raises(Undelivered, match=r"has a certificate that is not trusted: .*127"):
        HttpCaller(url.replace("localhost", "127.0.0.1"), ca_file=ours.files.cert).post("/", b"x", {})
    with pytest.raises(ValueError, match="holds no certificate"):
        HttpCaller(url, ca_file=ours.files.key)


def test_what_is_no_web_server_is_told_so(serve):
    port, _ = serve()
    with pytest.raises(Undelivered, match="does not speak TLS"):
        HttpCaller(f"https://localhost:{port}").post("/", b"x", {})
    with pytest.raises(Undelivered, match="refuses the connection"):
        HttpCaller(f"http://127.0.0.1:{free_port()}").post("/", b"x", {})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "answers with no HTTP"),
        (b"", "answers with no HTTP"),
        (None, "does not answer in time"),
    ],
)
def test_whatever_listens_there_is_borne(said, reason):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            client = server.accept()[0]
            client.recv(65536)
            if said is None:
                stopped.wait(5)
            else:
                client.sendall(said)
            client.close()

        stopped = threading.Event()
        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(Undelivered, match=reason):
            HttpCaller(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.5).post("/", b"x", {})
        stopped.set()


def test_an_answer_without_end_is_cut(serve):
    class Endless(Echo):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(500)
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            self.close_connection = True
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answer = HttpCaller(f"http://127.0.0.1:{server.server_port}").post("/", b"x", {})
    assert answer.status == 500 and len(answer.body) == 65536 and len(answer.text) == 300
    server.shutdown()
    server.server_close()
