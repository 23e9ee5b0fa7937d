"""The demo with small processes instead of the hub's: what the supervisor's tests run, signal and kill."""

from __future__ import annotations

import sys
from pathlib import Path

from mdm.demo import lineup, supervisor
from mdm.demo.child import Child

# Answers 200 to everything, and logs a line as the hub logs an error. Imports nothing of ours: starts fast.
WEB = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        print(f"2026-01-01 10:00:00,000 E small a line that matters {self.path}", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def _hub(var: Path, port: int, environment: dict[str, str]) -> list[Child]:
    programs = {"web": WEB, "stubborn": STUBBORN}
    return [
        Child(
            name,
            [sys.executable, "-c", program, str(port)],
            environment=environment,
            log=var / "log" / f"{name}.log",
            folder=lineup.ROOT,
        )
        for name, program in programs.items()
    ]


def main() -> int:
    lineup.hub = _hub
    lineup.sandboxes = lambda var, urls, environment: []
    lineup.PREPARATION = [sys.executable, "-c", "print('prepared')"]
    supervisor.GRACE = 1.0
    return supervisor.Supervisor(Path(sys.argv[1]), int(sys.argv[2])).run()


if __name__ == "__main__":
    sys.exit(main())
