"""One Redis under var/: a doorbell that keeps nothing on disk, because all work stands in PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mdm.embedded import processes, state
from mdm.embedded.account import Home
from mdm.embedded.binaries import redis_program
from mdm.embedded.missing import Missing

_CONFIGURATION = """
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
databases 64
save ""
appendonly no
maxmemory 512mb
maxmemory-policy noeviction
daemonize no
loglevel notice
"""


@dataclass(frozen=True)
class RedisServer:
    var: Path
    home: Home
    password: str
    say: Callable[[str], None]
    attached: bool = False

    @property
    def pid_file(self) -> Path:
        return self.var / "pg" / "redis.json"

    def start(self) -> int:
        """Start unless it runs already; returns its port."""
        if (running := self.running()) and self._answers(running[1]):
            return running[1]
        self.stop()  # one that does not know our password, or hangs
        program = redis_program(self.home)
        for _ in range(3):  # somebody may take the port between our look and the bind
            port = state.port_for(self.var, "redis")
            server = self._spawn(program, port)
            while server.poll() is None:
                if self._answers(port):
                    state.write(self.pid_file, {"pid": server.pid, "port": port})
                    return port
                time.sleep(0.02)
        raise Missing(f"Redis does not start; see {self.var / 'log' / 'redis.log'}")

    def running(self) -> tuple[int, int] | None:
        """(pid, port) of our server; it shows its port in the list of processes."""
        noted = state.read(self.pid_file)
        if noted and processes.alive(noted["pid"]) and f":{noted['port']}" in processes.command_line(noted["pid"]):
            return noted["pid"], noted["port"]
        return None

    def stop(self) -> bool:
        running = self.running()
        if running:
            processes.end(running[0], first=signal.SIGTERM, grace=5)
        return bool(running)

    def _answers(self, port: int) -> bool:
        # No retries: the library's own waits for seconds where nobody listens.
        client = redis.Redis(
            port=port,
            password=self.password,
            socket_timeout=2,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def _spawn(self, program: Path, port: int) -> subprocess.Popen[bytes]:
        """The configuration goes through a pipe: the password is in no file and in no list of processes."""
        with (self.var / "log" / "redis.log").open("ab") as log:
            server = subprocess.Popen(
                [str(program), "-"], cwd=self.home.path, stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,
                preexec_fn=processes.die_with_parent(signal.SIGTERM) if self.attached else None,
                **self.home.account.switch(),
            )  # fmt: skip
        text = _CONFIGURATION.format(port=port, password=self.password, folder=self.home.path)
        assert server.stdin
        server.stdin.write(text.encode())
        server.stdin.close()
        return server
