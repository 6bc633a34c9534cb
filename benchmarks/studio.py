"""How fast the studio answers: `python -m benchmarks.studio RUNS RUN`.

Starts a studio over a folder of runs, and measures the time to its first picture and of every picture that follows, as
a page asks for them: one latent, one request in flight; then with several pages at once.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

MOVES = 300  # of a slider


def main() -> None:
    """Measure and print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--moves", type=int, default=MOVES)
    options = parser.parse_args()
    start = time.perf_counter()
    command = [sys.executable, "-m", "simulacra", "studio", str(options.runs), "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline().rstrip("/\n").rpartition(":")[2])
        client = Client(port, options.run)
        client.move(0.0)
        print(f"cold start to the first picture: {time.perf_counter() - start:.1f} s")
        show("one page", [client.move(k / options.moves) for k in range(options.moves)])
        several(port, options.run, options.clients, options.moves // 4)
    finally:
        server.terminate()


def several(port: int, run: str, clients: int, moves: int) -> None:
    """Measure several pages at once."""
    times: list[float] = []

    def page() -> None:
        client = Client(port, run)
        times.extend([client.move(k / moves) for k in range(moves)])

    start = time.perf_counter()
    threads = [threading.Thread(target=page) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    show(f"{clients} pages", times)
    print(f"{clients} pages: {len(times) / (time.perf_counter() - start):.0f} pictures a second")


def show(what: str, times: list[float]) -> None:
    """Print the median and the 95th percentile in milliseconds."""
    ordered = sorted(times)
    print(
        f"{what}: slider to picture, median {1000 * statistics.median(ordered):.1f} ms, "
        f"95th percentile {1000 * ordered[int(0.95 * len(ordered))]:.1f} ms, {len(ordered)} pictures"
    )


class Client:
    """One page's connection."""

    def __init__(self, port: int, run: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.run = run
        sliders = self._asked("GET", "sliders", None)
        self.latent = list(sliders["origin"])

    def move(self, share: float) -> float:
        """Move one slider; return the seconds until its picture is there."""
        self.latent[0] = 4 * share - 2
        start = time.perf_counter()
        found = self._asked("POST", "decode", {"latents": [self.latent]})
        assert found["images"][0].startswith("data:image/png")
        return time.perf_counter() - start

    def _asked(self, method: str, verb: str, body: object) -> dict[str, Any]:
        content = None if body is None else json.dumps(body)
        self.connection.request(method, f"/api/runs/{self.run}/{verb}", content, {"content-type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        found: dict[str, Any] = json.loads(text)
        return found


if __name__ == "__main__":
    main()
