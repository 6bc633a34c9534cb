"""How fast the studio answers: `python -m benchmarks.studio RUNS RUN`.

Starts a studio over a folder of runs, and measures the time to its first picture and of every picture that follows, as
a page asks for them: one latent, one request in flight; then with several pages at once. More on request:

    python -m benchmarks.studio RUNS RUN --clients 50 --seconds 60    # many pages for a minute, and the server's memory
    python -m benchmarks.studio RUNS RUN --training                   # a slider while the studio trains

On a machine that does other work too, the processor time a picture is the figure to compare.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
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
    parser.add_argument("--seconds", type=float, help="let the clients ask for so long, and watch the server's memory")
    parser.add_argument("--training", action="store_true", help="move a slider while the studio trains")
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
        if options.seconds:
            lasting(server.pid, port, options.run, options.clients, options.seconds)
        elif options.training:
            while_training(client, options.moves)
        else:
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


def lasting(pid: int, port: int, run: str, clients: int, seconds: float) -> None:
    """Measure many pages for a time: pictures, waiting, errors, and whether the server's memory grows."""
    times: list[float] = []
    errors: list[str] = []
    until = time.perf_counter() + seconds

    def page(number: int) -> None:
        client, k = Client(port, run), number
        while time.perf_counter() < until:
            k += 1
            try:
                times.append(client.move(k % MOVES / MOVES))
            except (AssertionError, OSError, http.client.HTTPException) as error:
                errors.append(f"{type(error).__name__} {error}"[:200])
                client = Client(port, run)

    threads = [threading.Thread(target=page, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 4)
    early, spent, done = memory(pid), processor(pid), len(times)
    for thread in threads:
        thread.join()
    late = memory(pid)
    ordered = sorted(times)
    print(
        f"{clients} pages for {seconds:g} s: {len(times) / seconds:.0f} pictures a second, "
        f"median {1000 * statistics.median(ordered):.0f} ms, 99th percentile "
        f"{1000 * ordered[int(0.99 * len(ordered))]:.0f} ms, {len(errors)} errors {errors[:1]}"
    )
    print(f"server: {1000 * (processor(pid) - spent) / max(1, len(times) - done):.2f} ms of processor a picture")
    print(f"server: {early:.0f} MB after a quarter of the time, {late:.0f} MB at the end")


def memory(pid: int) -> float:
    """The resident memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def processor(pid: int) -> float:
    """The processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def while_training(client: Client, moves: int) -> None:
    """Measure a slider while a training goes on."""
    job = client.asked("POST", "/api/jobs", {"recipe": "quickstart", "options": {"train.images": "2000000"}})
    number = job["number"]
    while not client.asked("GET", f"/api/jobs/{number}", None)["total"]:
        time.sleep(0.2)
    show("while it trains", [client.move(k / moves) for k in range(moves)])
    state = client.asked("GET", f"/api/jobs/{number}", None)["state"]
    client.asked("POST", f"/api/jobs/{number}/stop", {})
    print(f"the training was {state} at the end")


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
        sliders = self.asked("GET", f"/api/runs/{run}/sliders", None)
        self.latent = list(sliders["origin"])

    def move(self, share: float) -> float:
        """Move one slider; return the seconds until its picture is there."""
        self.latent[0] = 4 * share - 2
        start = time.perf_counter()
        found = self.asked("POST", f"/api/runs/{self.run}/decode", {"latents": [self.latent]})
        assert found["images"][0].startswith("data:image/png")
        return time.perf_counter() - start

    def asked(self, method: str, path: str, body: object) -> dict[str, Any]:
        """Ask the studio; anything but an answer in order fails."""
        content = None if body is None else json.dumps(body)
        self.connection.request(method, path, content, {"content-type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 201), text
        found: dict[str, Any] = json.loads(text)
        return found


if __name__ == "__main__":
    main()
