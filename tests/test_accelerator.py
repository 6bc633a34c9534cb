"""What an accelerator is checked with runs on the CPU, and a step that fails does not stop the others."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).parent.parent / "scripts" / "check_accelerator.py"
CPU = torch.device("cpu")


def script() -> Any:
    spec = importlib.util.spec_from_file_location("check_accelerator", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "step", ["families", "resume", "peak", "speed", pytest.param("curves", marks=pytest.mark.slow)]
)
def test_every_step_runs_on_the_cpu(step: str) -> None:
    result = script().STEPS[step][0](CPU, True)
    assert result["ok"], result
    assert json.dumps(result)


def test_a_step_that_fails_or_hangs_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if "peak" in words:
            return subprocess.CompletedProcess(words, 0, 'noise\n{"ok": true, "said": "fast"}\n', "")
        if "speed" in words:
            raise subprocess.TimeoutExpired(words, options["timeout"])
        return subprocess.CompletedProcess(words, 1, "", "Traceback\nRuntimeError: no kernel image is available\n")

    check = script()
    monkeypatch.setattr(check.subprocess, "run", run)
    assert check.main(["--device", "cpu", "--out", str(tmp_path / "a.json"), "--steps", "speed", "resume", "peak"]) == 1
    said = capsys.readouterr().out
    assert "did not end within 180 seconds" in said
    assert "no kernel image is available" in said
    assert "ok      peak" in said
    assert json.loads((tmp_path / "a.json").read_text())["steps"]["peak"]["said"] == "fast"
