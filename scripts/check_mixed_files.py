"""Send 200 mixed real-world files through the verbs that work on pictures, and check every result.

    .venv/bin/python scripts/check_mixed_files.py [/tmp/mixed] [--every-operation]

Each readable file must come out as a picture, each other one must be named with a reason, memory must not grow with the
number of files. Prints a line for each command: files written, files named, seconds, peak memory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from make_mixed_files import make
from PIL import Image

from simulacra.operations import COMPOSITIONS, OPERATIONS

FEW = ("gaussian", "median", "rotate", "elastic", "resize", "hue", "noise", "canny", "inpaint-telea")
OPTIONS = {
    "crop": ["--height", "20", "--width", "20"],
    "resize": ["--width", "64"],
    "rotate": ["--degrees", "-30..30", "--expand", "true"],
    "non-local-means": ["--search", "5", "--patch", "3"],
    "total-variation": ["--steps", "10"],
}


def main(folder: Path, every: bool) -> None:
    """Make the files, run the commands, and stop at the first thing that is not right."""
    manifest = make(folder)
    names = {str(row["file"]): bool(row["readable"]) for row in manifest}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        with Image.open(folder / "000-plain.png") as plain:
            plain.convert("RGB").save(work / "other.png")
        shutil.copytree(folder, work / "masks", ignore=lambda *_: ["MANIFEST.json"])
        masks = work / "masks"
        _halves(masks)
        for operation in OPERATIONS if every else FEW:
            extra = list(OPTIONS.get(operation, []))
            extra += ["--mask", str(masks)] if operation.startswith("inpaint") else []
            extra += ["--reference", str(work / "other.png")] if operation == "transfer" else []
            check(["transform", operation, str(folder), *extra], work / operation, names)
        check(["transform", "pipeline", str(folder), "--steps", "flip, affine, noise"], work / "pipeline", names)
        check(["transform", "rotate", str(folder), "--frames", "all"], work / "frames", names)
        with_ = ["--with", str(work / "other.png")]
        seam = work / "seam.png"
        with Image.open(work / "other.png") as other:
            left = Image.new("L", other.size)
            left.paste(255, (0, 0, other.width // 2, other.height))
        left.save(seam)
        for composition in COMPOSITIONS:
            extra = ["--mask", str(seam)] if composition in ("blend", "clone") else []
            check(["compose", composition, str(folder), *with_, *extra], work / composition, names)
        collage = ["compose", "collage", str(folder), "--out", str(work / "collage.png")]
        print(" ".join(collage[:2]), *run(collage)[1:])
        for count in (50, 200, 800):
            make(work / f"many-{count}", count)
            done = run(["transform", "gaussian", str(work / f"many-{count}"), "--out", str(work / f"out-{count}")])
            print(f"{count} files: peak {done[2]} MB")


def _halves(folder: Path) -> None:
    """Replace every picture that can be read by a mask of its size whose middle is white."""
    from simulacra.images import files

    for path in sorted(folder.iterdir()):
        try:
            size = files.read(files.find(path)[0]).image.shape[-2:]
        except Exception:
            path.unlink()
            continue
        mask = Image.new("L", (size[1], size[0]))
        mask.paste(255, (size[1] // 3, size[0] // 3, size[1] // 2, size[0] // 2))
        path.unlink()
        mask.save(path.with_suffix(".png"))


def run(arguments: list[str]) -> tuple[int, float, int]:
    """Run a command; return its exit status, seconds and peak memory in MB."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "simulacra", *arguments], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), round(time.monotonic() - started, 1), usage.ru_maxrss >> 10


def check(arguments: list[str], out: Path, names: dict[str, bool]) -> None:
    """Run a command on the folder; every file must be right or named."""
    report = out.with_suffix(".json")
    status, seconds, memory = run([*arguments, "--out", str(out), "--report", str(report)])
    assert status == 1, f"{arguments}: exit status {status}, where 1 says that some files were left out"
    rows = {row["file"]: row for row in json.loads(report.read_text())}
    assert set(rows) == set(names), "a file is missing from the report"
    small = {name for name, row in rows.items() if "do not fit" in row.get("problem", "")}
    for name, readable in names.items():
        row = rows[name]
        if readable and name not in small:
            assert "problem" not in row, row
            with Image.open(row["out"]) as picture:
                picture.load()
        else:
            assert row["problem"].startswith(name) or name in small, row
    written = sum("out" in row for row in rows.values())
    print(f"{arguments[0]} {arguments[1]}: {written} written, {len(rows) - written} named, {seconds} s, {memory} MB",
          flush=True)  # fmt: skip
    shutil.rmtree(out)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    main(Path(words[0] if words else "/tmp/mixed"), "--every-operation" in sys.argv)
