"""What the host's network interfaces are up to, as Linux tells it in /sys/class/net."""

from dataclasses import dataclass
from pathlib import Path

SYS_NET = Path("/sys/class/net")
_IFF_UP = 1
_ETHERNET = "1"  # ARPHRD_ETHER


@dataclass(frozen=True, slots=True)
class NetLinks:
    """``wifi``: a wireless interface is in use; ``wifi_linked``, ``wired_linked``: it has a link."""

    wifi: bool = False
    wifi_linked: bool = False
    wired_linked: bool = False


def read_links(folder: Path = SYS_NET) -> NetLinks:
    """The state now. Only interfaces of real devices count: bridges, tunnels and containers have none. Where there is no such
    folder (no Linux), nothing is linked."""
    wifi = wifi_linked = wired_linked = False
    try:
        interfaces = list(folder.iterdir())
    except OSError:
        interfaces = []
    for interface in interfaces:
        if not (interface / "device").exists():
            continue
        linked = _read(interface / "carrier") == "1"  # can't be read of one that is switched off
        if (interface / "wireless").exists() or (interface / "phy80211").exists():
            up = _is_up(_read(interface / "flags"))
            wifi, wifi_linked = wifi or up, wifi_linked or (up and linked)
        elif _read(interface / "type") == _ETHERNET:
            wired_linked = wired_linked or linked
    return NetLinks(wifi, wifi_linked, wired_linked)


def _is_up(flags: str) -> bool:
    try:
        return bool(int(flags, 16) & _IFF_UP)
    except ValueError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
