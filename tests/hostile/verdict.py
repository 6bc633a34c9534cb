"""What a case did that it never may, by kind."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

LONGEST = 600  # characters of an error line
STATUSES = (0, 1, 2, 3, 4)
PROGRESS = re.compile(r"^((measuring|making) .*|left out: .*|[\w ,'-]+: [\d,]+ of [\d,]+)$")


@dataclass
class Verdict:
    """How a case ended. ``faults`` are words of `KINDS`, empty where all is well."""

    name: str
    owner: str
    status: int | None
    seconds: float
    faults: dict[str, str]
    arguments: list[str]
    stderr: str
    path: str

    def record(self) -> dict[str, Any]:
        """The verdict as plain values."""
        return asdict(self)

    def line(self) -> str:
        """The verdict on one printable line."""
        faults = "; ".join(f"{kind}: {what}" for kind, what in self.faults.items())
        return printable(f"{self.name} [{self.owner}] status {self.status}, {self.seconds:.1f} s: {faults or 'well'}")


KINDS = {
    "traceback": "an exception reached the top, or the handler there that has no message of its own for it",
    "status": "an exit status that DESIGN does not know",
    "silent": "a failure without a line that begins with 'simulacra:'",
    "lines": "more than one line of error",
    "long": f"an error of more than {LONGEST} characters",
    "unprintable": "control characters on the terminal",
    "warning": "a warning of a library",
    "accepted": "a value without sense was taken, or refused with another status than 2",
    "wrote": "files were written although the status is 2",
    "overwritten": "a file was overwritten without --force",
    "outside": "something outside --out was changed",
    "wrong": "what was written is not what was meant",
    "left": "a temporary file was left behind",
    "did": "a program was run, the network called, or a module brought in",
    "hang": "more than 10 seconds",
    "memory": "more than a gigabyte",
    "died": "the process died",
    "harness": "the case itself went wrong",
}


def of_streams(status: int | None, out: str, err: str) -> dict[str, str]:
    """Faults of the exit status and of what was printed."""
    faults: dict[str, str] = {}
    lines = [line for line in err.split("\n") if line.strip() and not PROGRESS.match(line)]
    if status not in STATUSES:
        faults["status"] = str(status)
    if any("Warning" in line or "warn(" in line for line in lines):
        faults["warning"] = next(line for line in lines if "Warning" in line or "warn(" in line)[:200]
        lines = [line for line in lines if line.startswith("simulacra:")]
    if status and not any(line.startswith("simulacra: ") for line in lines):
        faults["silent"] = repr(err[-200:])
    elif status and status != 1 and len(lines) != 1:
        faults["lines"] = f"{len(lines)} lines, the first {lines[0][:100]!r}"
    if any("bug in simulacra" in line or "--debug" in line for line in lines):
        faults["traceback"] = next(line for line in lines if "--debug" in line or "bug in simulacra" in line)[:300]
    longest = max(map(len, err.split("\n")))
    if longest > LONGEST:
        faults["long"] = f"{longest:,} characters"
    for text in (out, err):
        odd = sorted({letter for letter in text if not letter.isprintable() and letter != "\n"})
        if odd:
            faults["unprintable"] = repr("".join(odd[:10]))
    return faults


def printable(text: str) -> str:
    """The text with control characters shown as such."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
