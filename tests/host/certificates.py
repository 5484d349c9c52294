"""Authorities and certificates, made in a few milliseconds, as PEM files."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CLEAR = serialization.NoEncryption()


@dataclass
class Files:
    cert: Path
    key: Path


class Authority:
    """Issues certificates into its own folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {folder.name}")])
        own = self._builder(self._name, self._key, -1, 30)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.files = self._write("ca", own, self._key)

    def issue(self, name: str, *, client=False, first_day=-1, last_day=30, passphrase=None) -> Files:
        """A certificate for a host name, an address, or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        use = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = self._builder(subject, key, first_day, last_day)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if not client:
            try:
                other = x509.IPAddress(ipaddress.ip_address(name))
            except ValueError:
                other = x509.DNSName(name)
            builder = builder.add_extension(x509.SubjectAlternativeName([other]), critical=False)
        sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else _CLEAR
        return self._write(f"{name}-{first_day}-{last_day}", builder, key, sealed)

    def _builder(self, subject, key, first_day, last_day):
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=first_day))
            .not_valid_after(now + datetime.timedelta(days=last_day))
        )

    def _write(self, name, builder, key, sealed=_CLEAR):
        files = Files(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        files.cert.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, sealed))
        return files
