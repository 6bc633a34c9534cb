"""Train the small classifiers whose features judge images, and write simulacra/weights/NAME.safetensors.

Run: python scripts/train_classifiers.py [NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

from simulacra import data
from simulacra.config import Data
from simulacra.features import Classifier
from simulacra.features.learning import Settings, fit

SETTINGS = (
    Settings("digits", side=16, epochs=60, batch=50),
    Settings("mnist", side=28, epochs=5, batch=100),
    Settings("fashion-mnist", side=28, epochs=8, batch=100, mirrored=True),
)
WEIGHTS = Path(__file__).parent.parent / "simulacra" / "weights"


def main(names: list[str]) -> None:
    for settings in SETTINGS:
        if not names or settings.name in names:
            content = fit(data.load(Data(name=settings.name)), settings)
            (WEIGHTS / f"{settings.name}.safetensors").write_bytes(content)
            print(f"{len(content):,} bytes", Classifier.read(settings.name, content).facts, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
