"""What we sign: requests by OAuth1, judged by oauthlib, and assertions, verified with the public key alone."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from oauthlib.oauth1 import RequestValidator, ResourceEndpoint

from sync.assertions import Assertion
from sync.auth import OAuth1
from sync.errors import Unauthorised
from sync.http import Client
from sync.protocol import Config
from tests.sync.test_http import reply

AUTH = OAuth1(key="consumer", secret="s&crét/1", token="token", token_secret="t%2B =", realm="1234567_SB1")


class Judge(RequestValidator):
    """Knows one consumer and one token, takes each nonce once; everything else is oauthlib's."""

    allowed_signature_methods = ("HMAC-SHA256",)
    enforce_ssl = False
    dummy_client = dummy_access_token = "nobody"

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def check_client_key(self, client_key: str) -> bool:
        return True

    def check_access_token(self, request_token: str) -> bool:
        return True

    def check_nonce(self, nonce: str) -> bool:
        return 6 <= len(nonce) <= 64 and nonce.isalnum()

    def validate_timestamp_and_nonce(self, *given: Any, **named: Any) -> bool:
        fresh = given[2] not in self.seen
        self.seen.add(given[2])
        return fresh

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == "consumer"

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return token == "token"

    def validate_realms(self, *given: Any, **named: Any) -> bool:
        return bool(given[2].realm == "1234567_SB1")

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return "s&crét/1"

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return "t%2B ="


def valid(judge: Judge, method: str, url: str, header: str) -> bool:
    endpoint = ResourceEndpoint(judge)
    return bool(endpoint.validate_protected_resource_request(url, method, None, {"Authorization": header})[0])


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/record/v1/vendor/eid:MDM-1_a"),
        ("PATCH", "http://127.0.0.1:8104/services/rest/record/v1/vendor/7?replace=addressBook"),
        ("POST", "https://host.example:443/a?limit=5&offset=10"),
        ("GET", "http://host.example/a%20b?q=name+IS+%22M%C3%BCller+%26+Co%2B%22&b=2&a=1&a=0&empty="),
    ],
)
def test_a_signature_is_valid_once_and_for_this_request_only(method: str, url: str) -> None:
    judge, header = Judge(), AUTH.sign(method, url)["Authorization"]
    assert valid(judge, method, url, header)
    assert not valid(judge, method, url, header), "a nonce was taken twice"
    other = "PUT" if method != "PUT" else "POST"
    assert not valid(Judge(), other, url, header)
    assert not valid(Judge(), method, url + ("&" if "?" in url else "?") + "x=1", header)
    assert not valid(Judge(), method, url, header.replace("1234567_SB1", "7654321"))
    assert not valid(Judge(), method, url, header.replace('oauth_token="token"', 'oauth_token="other"'))


def test_a_wrong_secret_is_found_out() -> None:
    forged = OAuth1(key="consumer", secret="guess", token="token", token_secret="t%2B =", realm="1234567_SB1")
    url = "https://host.example/a"
    assert not valid(Judge(), "GET", url, forged.sign("GET", url)["Authorization"])


def test_the_client_signs_what_it_really_sends_and_once_more_after_a_401() -> None:
    """Parameters are put into the address by the HTTP library: the signature must be over its spelling."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for status in (401, 200):
                connection, _ = server.accept()
                with connection:
                    heard.append(connection.recv(65536).decode())
                    connection.sendall(reply(status))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        session = Client(Config(url, timeout=2.0), auth=AUTH)
        assert session.json("GET", "a/b", params={"q": 'name IS "Ä & B"', "limit": 2}) == {}
        thread.join(timeout=5)
    judge = Judge()
    assert len(heard) == 2
    for request in heard:
        first, *lines = request.split("\r\n")
        header = next(line.partition(": ")[2] for line in lines if line.lower().startswith("authorization:"))
        method, path, _ = first.split(" ")
        assert "?q=" in path and valid(judge, method, url + path, header)
    assert "oauth_" not in repr(session.exchanges())


@pytest.mark.parametrize("kind", ["PS256", "ES256"])
def test_an_assertion_says_who_signs_for_whom_and_for_how_long(kind: str) -> None:
    key: Any = rsa.generate_private_key(65537, 2048) if kind == "PS256" else ec.generate_private_key(ec.SECP256R1())
    told = Assertion("client", "cert-1", pem(key), "a,b")
    first, second = (told.sign("https://host.example/token") for _ in range(2))
    assert first != second, "an assertion may be good only once"
    head, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in first.split("."))
    content = first.rpartition(".")[0].encode()
    if kind == "PS256":
        key.public_key().verify(signature, content, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    else:
        halves = [int.from_bytes(half, "big") for half in (signature[:32], signature[32:])]
        key.public_key().verify(encode_dss_signature(*halves), content, ec.ECDSA(hashes.SHA256()))
    assert json.loads(head) == {"typ": "JWT", "alg": kind, "kid": "cert-1"}
    said = json.loads(claims)
    assert (said["iss"], said["aud"], said["scope"]) == ("client", "https://host.example/token", "a,b")
    assert abs(said["iat"] - time.time()) < 5 and said["exp"] - said["iat"] == 300
    assert "PRIVATE" not in repr(told)


@pytest.mark.parametrize("text", ["", "not a key"])
def test_a_key_that_is_none_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(Unauthorised) as caught:
        Assertion("client", "cert-1", text).sign("https://host.example/token")
    assert "PEM" in caught.value.message and (not text or text not in caught.value.message)


def test_other_keys_are_told_apart() -> None:
    with pytest.raises(Unauthorised, match="P-256"):
        Assertion("client", "cert-1", pem(ed25519.Ed25519PrivateKey.generate())).sign("https://host.example/token")


def pem(key: Any) -> str:
    plain = serialization.NoEncryption()
    text: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return text.decode()
