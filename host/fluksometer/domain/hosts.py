"""Names and addresses of hosts, as people write them."""

import ipaddress
import re

_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,253}")
_LABEL_MOST = 63  # characters between two dots; the resolver raises on more, and on none


def is_host(text: str) -> bool:
    """Whether this can be a host name or an address: no scheme, no path, no empty part."""
    labels = text.removesuffix(".").split(".")
    return bool(_HOST.fullmatch(text)) and all(1 <= len(label) <= _LABEL_MOST for label in labels)


def is_ipv4(text: str) -> bool:
    """Whether this is an IPv4 address of four numbers."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
