"""What a newcomer needs once all is up: address, logins, where to look; for programs, var/demo.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mdm.demo.lineup import names
from mdm.embedded import state

_FIRST = [
    ("/", "the dashboard: my work, sync health, drift"),
    ("/inbox/", "requests waiting for a decision"),
    ("/records/suppliers/", "golden records; open one for its sources, timeline and deliveries"),
    ("/duplicates/", "pairs that may be the same supplier, side by side"),
    ("/imports/", "what came from three of the platforms, and the rows in quarantine"),
    ("/drift/", "where a platform no longer holds what was approved"),
    ("/api/v1/docs/", "the REST API"),
]


def write_demo_json(var: Path, base_url: str, sandbox_urls: dict[str, str]) -> dict[str, Any]:
    """var/demo.json, readable only by its owner."""
    loaded = state.read(var / "demo_users.json")
    content = {
        "base_url": base_url,
        "users": loaded.get("users", []),
        "tokens": loaded.get("tokens", {}),
        "sandboxes": {
            name: {"url": sandbox_urls[name], "control": f"{sandbox_urls[name]}/_control"} for name in names()
        },
    }
    state.write(var / "demo.json", content)
    return content


def render(content: dict[str, Any], var: Path) -> str:
    base_url, users = content["base_url"], content["users"]
    widest = [max(5, *(len(user[field]) for user in users), 0) for field in ("role", "username")]
    lines = ["", f"  The hub is running at {base_url}", ""]
    lines += [f"    {'role':<{widest[0]}}  {'login':<{widest[1]}}  password"] if users else []
    lines += [f"    {user['role']:<{widest[0]}}  {user['username']:<{widest[1]}}  {user['password']}" for user in users]
    lines += ["", "  Look first at"]
    lines += [f"    {base_url}{path:<22} {what}" for path, what in _FIRST]
    lines += [
        "",
        f"  Tokens and sandboxes: {var / 'demo.json'} · logs: {var / 'log'} · Ctrl-C stops everything",
        "",
    ]
    return "\n".join(lines)
