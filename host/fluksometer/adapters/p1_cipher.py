"""Opens the encrypted frames of smart meters: AES-128-GCM as DLMS security suite 0 has it (IEC 62056-5-3, 9.2.3).

Luxembourg: Luxmetering's P1 specification 1.1.3, section 3.2. The authentication key is the same for all meters and public; the
operator gives each customer the encryption key. The Austrian Sagemcom T210-D-r has both keys of its own.
"""

from typing import TYPE_CHECKING

from fluksometer.domain.p1_stream import Decrypt
from fluksometer.errors import Failure

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.modes import GCM

LUXEMBOURG_AUTHENTICATION_KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")

_TITLE = slice(2, 10)  # of the frame: system title, security control, invocation counter, ciphertext, tag
_CONTROL = slice(13, 14)
_COUNTER = slice(14, 18)
_TEXT = slice(18, -12)
_TAG = slice(-12, None)
_TAG_BYTES = 12


def decrypter(key: bytes, authentication_key: bytes = LUXEMBOURG_AUTHENTICATION_KEY) -> Decrypt:
    """What opens frames with this key: answers the telegram, or None when the tag does not fit. Raises Failure when the
    package for it is not installed."""
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as error:
        raise Failure("encrypted telegrams need one more package: pip install 'fluksometer[luxembourg]'") from error
    cipher = algorithms.AES(key)

    def mode(frame: bytes) -> "GCM":
        return modes.GCM(frame[_TITLE] + frame[_COUNTER], frame[_TAG], _TAG_BYTES)

    def decrypt(frame: bytes) -> bytes | None:
        opening = Cipher(cipher, mode(frame)).decryptor()
        opening.authenticate_additional_data(frame[_CONTROL] + authentication_key)
        try:
            return opening.update(frame[_TEXT]) + opening.finalize()
        except InvalidTag:
            return None

    return decrypt
