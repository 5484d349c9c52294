"""TLS towards an MQTT broker: what is trusted, who the bridge is, and what a failure means in words that name the fix.

Certificate and name are always verified; for a broker with a certificate of its own making, ``ca_file`` is that certificate.
Numbers of verification results: OpenSSL, X509_verify_cert_error_string(3). Alerts: RFC 8446, 6.2.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fluksometer.faults import FileFaults

_VERIFY: Final = {
    9: "its certificate is not valid yet: is the clock of this host right?",
    10: "its certificate has expired: have the broker's certificate renewed (or is the clock of this host wrong?)",
    18: "its certificate is self-signed and not trusted: copy it here and name it in mqtt.ca_file",
    19: "its certificate comes from an authority that is not trusted: name that authority's certificate in mqtt.ca_file",
    20: "its certificate comes from an authority that is not trusted: name that authority's certificate in mqtt.ca_file",
    21: "its certificate comes from an authority that is not trusted: name that authority's certificate in mqtt.ca_file",
    23: "its certificate was revoked: have the broker's certificate renewed",
    62: "its certificate is for another name than {host}: set mqtt.broker to a name that is in the certificate",
    64: "its certificate is for another address than {host}: set mqtt.broker to a name that is in the certificate",
}
_REASONS: Final = {  # parts of OpenSSL's names of errors
    "WRONG_VERSION_NUMBER": "it speaks no TLS on this port: is mqtt.port that of its TLS listener (often 8883)?",
    "RECORD_LAYER_FAILURE": "it speaks no TLS on this port: is mqtt.port that of its TLS listener (often 8883)?",
    "CERTIFICATE_REQUIRED": "it asks for a certificate of the bridge: set mqtt.cert_file and mqtt.key_file",
    "HANDSHAKE_FAILURE": "it refuses the bridge: does it ask for a certificate (mqtt.cert_file, mqtt.key_file)?",
    "CERTIFICATE_EXPIRED": "it refuses the bridge's certificate, which has expired: renew that in mqtt.cert_file",
    "UNKNOWN_CA": "it does not trust who issued the bridge's certificate: mqtt.cert_file must be of the broker's authority",
    "BAD_CERTIFICATE": "it refuses the bridge's certificate: mqtt.cert_file must be of the broker's authority",
    "DECRYPT_ERROR": "it refuses the bridge's certificate: mqtt.cert_file must be of the broker's authority",
    "CERTIFICATE_REVOKED": "it refuses the bridge's certificate, which was revoked: get a new mqtt.cert_file",
    "UNSUPPORTED_CERTIFICATE": "it refuses the bridge's certificate: it must be one for clients (clientAuth)",
    "PROTOCOL_VERSION": "it speaks no TLS of today: at least 1.2 is needed",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS of today: at least 1.2 is needed",
}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificates and key, as PEM. ``ca``: whom to trust, None: whom the host trusts; ``cert``: who the bridge is, with
    its key there too unless ``key`` has it."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class Tls:
    """TLS for one client. Its contexts remember the last error, which MQTT libraries swallow."""

    def __init__(self, files: TlsFiles, source: str) -> None:
        """Reads the files. FileFaults names the key of the configuration ``source`` whose file can't be used."""
        self._files = files
        self._fault: ssl.SSLError | None = None
        self.context(source)

    def context(self, source: str = "mqtt") -> ssl.SSLContext:
        """A new one, with the files as they are now: a renewed certificate counts from the next connection on."""
        self._fault = None
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        files = self._files
        if files.ca:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            _load(source, "ca_file", files.ca, "no certificate (PEM)", lambda: context.load_verify_locations(files.ca))
        if files.cert:
            _load(source, "cert_file", files.cert, "no certificate (PEM)", lambda: _check_pem(files.cert))
            key = files.key or files.cert
            wrong = "no key (PEM, without a passphrase) of the certificate in mqtt.cert_file"
            _load(
                source,
                "key_file",
                key,
                wrong,
                lambda: context.load_cert_chain(files.cert or "", key, password=_nothing),
            )
        context.sslsocket_class = self._socket_class()
        return context

    def said(self, host: str, error: BaseException | None = None) -> str | None:
        """What ``error``, or else the last one on a connection, means in words; None when it was none of TLS."""
        fault = error if error is not None else self._fault
        if isinstance(fault, ssl.SSLCertVerificationError):
            words = _VERIFY.get(fault.verify_code, f"its certificate is not accepted: {fault.verify_message}")
            return words.format(host=host)
        if isinstance(fault, ssl.SSLError):
            name = str(fault.reason or "")
            known = (words for part, words in _REASONS.items() if name.endswith(part))
            return next(known, f"TLS fails: {name.lower().replace('_', ' ') or fault}")
        return None

    def _socket_class(self) -> type[ssl.SSLSocket]:
        tls = self

        class Noting(ssl.SSLSocket):
            def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
                try:
                    return super().recv(buflen, flags)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    raise
                except ssl.SSLError as error:
                    tls._fault = error
                    raise

        return Noting


def _nothing() -> str:
    return ""  # a key with a passphrase is refused; OpenSSL would ask for it on the terminal


def _check_pem(path: Path | None) -> None:
    assert path
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)


def _load(source: str, key: str, path: Path, wrong: str, load: Any) -> None:
    try:
        path.read_bytes()  # names the file that is missing, which OpenSSL does not
        load()
    except ssl.SSLError as error:
        raise FileFaults(source, [f"mqtt.{key}: {path} holds {wrong}"]) from error
    except OSError as error:
        raise FileFaults(source, [f"mqtt.{key}: {path} can't be read: {error.strerror}"]) from error
