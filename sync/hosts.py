"""Owns where the hub may connect to: a name is resolved once, its addresses are checked, and one of those is connected to.

An address of our own network is no target unless governance named it: else whoever may set a target's address could
make the hub speak to what only the hub can reach. What is checked is what is connected to, so a name that answers
otherwise the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from sync.errors import Unauthorised

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443, "sftp": 22}
_UNICAST = ipaddress.ip_network("2000::/3")  # the only IPv6 addresses that lead anywhere in public


def addresses(host: str, port: int, private: Collection[str] | None) -> list[str]:
    """The addresses of a host, all of them allowed; `private` names hosts and networks besides the public ones.

    None: nothing is checked (a connector driven by hand). OSError when the name leads nowhere, Unauthorised when it
    leads to where nobody may go.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    plain = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if private is None:
        return plain
    for text in plain:
        if not _allowed(host, ipaddress.ip_address(text.partition("%")[0]), private):
            words = f"{host} leads to {text}, which is no public address."
            raise Unauthorised(f"{words} An operator can allow it: MDM_PRIVATE_TARGETS in the environment of the hub.")
    return plain


def connect(host: str, port: int, timeout: float, private: Collection[str] | None) -> socket.socket:
    """A connected socket; OSError when none of the addresses answers."""
    last: OSError | None = None
    for address in addresses(host, port, private):
        try:
            return socket.create_connection((address, port), timeout=timeout)
        except OSError as error:
            last = error
    raise last or OSError(f"{host} has no address")


def origin(url: str) -> tuple[str, str, int | None]:
    """The server behind an address, to tell whether two lead to the same one; ("", "", None) for none."""
    try:
        parts = urlsplit(url.lower())
        return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", url, None


def wrong_with(url: str, private: Collection[str] | None) -> str:
    """What is wrong with an address somebody typed, in words; asks no name server, that is done when we connect."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
    except ValueError:
        return "This is no address."
    if parts.username is not None or parts.password is not None:
        return "Leave out what stands before the @: credentials have fields of their own."
    try:
        found = socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST, type=socket.SOCK_STREAM)
    except OSError:
        named = private is None or any(_names(entry.strip(), host, ipaddress.IPv4Address(0)) for entry in private)
    else:
        try:
            addresses(str(found[0][4][0]), port, private)
        except Unauthorised as error:
            return error.message
        named = not _public(_inner(ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])))
    if parts.scheme == "http" and not named:
        return "Give an https address: in clear, credentials and bank numbers could be read on the way."
    return ""


def _allowed(host: str, address: Address, private: Collection[str]) -> bool:
    inner = _inner(address)
    return _public(inner) or any(_names(entry.strip(), host, inner) for entry in private)


def _public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and (address.version == 4 or address in _UNICAST)


def _names(entry: str, host: str, address: Address) -> bool:
    """An entry is a host's name, an address, or a network such as 10.20.0.0/16."""
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return entry.rstrip(".").lower() == host.rstrip(".").lower()


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, Teredo, NAT64."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
