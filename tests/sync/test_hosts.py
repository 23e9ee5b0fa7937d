"""Where the hub may connect to: an address of one's own network is no target, however it is written."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sync import hosts, platforms
from sync.auth import OAuth2
from sync.errors import NotSent, Unauthorised
from sync.http import Client
from sync.protocol import Config
from sync.signing import new_secret

PRIVATE = """
    127.0.0.1 127.1 127.255.255.254 0 0.0.0.0 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 localhost localhost.
    10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.1.1 169.254.169.254 0xa9fea9fe 2852039166
    100.64.0.1 192.0.0.1 198.18.0.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 192.0.2.1 198.51.100.7 203.0.113.9
    ::1 :: [::1] ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1 fc00::1 fd12:3456::1 fe80::1 ff02::1
    2002:7f00:1:: 2002:a00:1:: 64:ff9b::7f00:1 64:ff9b::169.254.169.254 2001:db8::1 2001:0:4136:e378:8000:63bf:80ff:fffe
    0x0a000001 012.0.0.1 3232235521 10.1 192.168.257 fec0::1 ::7f00:1 100::1 2001:10::1 0300.0250.0.1
""".split()


@pytest.mark.parametrize("host", PRIVATE)
def test_no_way_into_our_own_network(host: str) -> None:
    try:
        found = hosts.addresses(host, 443, ())
    except (Unauthorised, OSError):  # OSError: this machine's resolver does not even take it for an address
        return
    raise AssertionError(f"{host} leads to {found}")


@pytest.mark.parametrize("host", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(host: str) -> None:
    assert hosts.addresses(host, 443, ())


@pytest.mark.parametrize("entry", ["10.20.0.0/16", "10.20.30.40", " 10.0.0.0/8 "])
def test_what_was_named_is_allowed(entry: str) -> None:
    assert hosts.addresses("10.20.30.40", 443, (entry,)) == ["10.20.30.40"]
    with pytest.raises(Unauthorised, match="MDM_PRIVATE_TARGETS"):
        hosts.addresses("192.168.1.1", 443, (entry,))
    assert hosts.addresses("localhost", 443, ("LocalHost.",))


def _answers(monkeypatch: pytest.MonkeyPatch, *rounds: list[str]) -> list[list[str]]:
    """A resolver of our own; the rounds it has not been asked for yet."""
    left = list(rounds)

    def resolve(host: str, port: int, *args: object, **more: object) -> list[tuple[object, ...]]:
        found = left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(hosts.socket, "getaddrinfo", resolve)
    return left


def test_one_private_address_among_public_ones_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(Unauthorised):
        hosts.addresses("rebound.example", 443, ())


class Silent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked = True  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def inside() -> Iterator[ThreadingHTTPServer]:
    """A server in our own network."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.asked = False  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_http_goes_nowhere_it_may_not(inside: ThreadingHTTPServer) -> None:
    port = inside.server_address[1]
    for host in ("127.0.0.1", "2130706433", "localhost", "user@127.0.0.1"):
        client = Client(Config(f"http://{host}:{port}", timeout=2.0, private_hosts=()))
        with pytest.raises((Unauthorised, NotSent)):
            client.request("GET", "/")
    assert not inside.asked  # type: ignore[attr-defined]
    allowed = Client(Config(f"http://127.0.0.1:{port}", timeout=2.0, private_hosts=("127.0.0.0/8",)))
    assert allowed.request("GET", "/").status == 204 and inside.asked  # type: ignore[attr-defined]


def test_a_name_is_asked_once_and_what_was_checked_is_connected_to(inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second answer of a name that changes its mind is never heard."""
    connected: list[str] = []

    def record(address: tuple[str, int], *args: object, **more: object) -> socket.socket:
        connected.append(address[0])
        raise OSError("not from a test")

    left = _answers(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "create_connection", record)
    client = Client(Config(f"http://rebound.example:{inside.server_address[1]}", timeout=2.0, private_hosts=()))
    with pytest.raises(NotSent):
        client.request("GET", "/")
    assert connected == ["8.8.8.8"] and len(left) == 1 and not inside.asked  # type: ignore[attr-defined]


def test_signing_in_goes_nowhere_it_may_not_either(inside: ThreadingHTTPServer) -> None:
    """The address for tokens is another address that somebody types."""
    port = inside.server_address[1]
    config = Config("https://public.example", "mdm", "s", f"http://127.0.0.1:{port}/token", 2.0, private_hosts=())
    client = Client(config)
    client.auth = OAuth2(client, config)
    with pytest.raises(Unauthorised, match="no public address"):
        client.request("GET", "/")
    assert not inside.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", platforms.names())
def test_every_connector_is_bound_to_the_addresses_it_is_allowed(name: str, inside: ThreadingHTTPServer) -> None:
    """Whatever way a connector speaks: nothing reaches a server inside that nobody named."""
    scheme = "sftp" if name == "sftp_csv" else "http"
    place = f"{scheme}://127.0.0.1:{inside.server_address[1]}"
    options = {"host_key": "SHA256:x"}
    config = Config(place, "mdm", new_secret(), f"{place}/token", 2.0, options, private_hosts=())
    health = platforms.connector_class(name)(config).check()
    assert not health.ok and "no public address" in health.message
    assert not inside.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://coupa.example/api", ""),
        ("https://203.0.113.9", "no public address"),
        ("https://2130706433/", "no public address"),
        ("https://[::ffff:169.254.169.254]/latest/meta-data", "no public address"),
        ("https://good.example@127.0.0.1/", "before the @"),
        ("http://coupa.example", "https"),
        ("http://8.8.8.8", "https"),
        ("http://10.20.30.40:8080", ""),
        ("http://sap.corp.example:8080", ""),
        ("https://coupa.example:port", "no address"),
    ],
)
def test_what_is_wrong_with_an_address_somebody_types(url: str, words: str) -> None:
    found = hosts.wrong_with(url, ("10.20.0.0/16", "sap.corp.example"))
    assert words in found and bool(words) == bool(found)
