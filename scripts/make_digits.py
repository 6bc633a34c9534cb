"""Write simulacra/data/digits.npz from scikit-learn's copy of UCI's optical recognition test set.

Run once, with scikit-learn installed: python scripts/make_digits.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
images = digits.images.astype(np.uint8)  # (1797, 8, 8), ink from 0 to 16
labels = digits.target.astype(np.uint8)
attribution = (
    "Optical Recognition of Handwritten Digits (1998), E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, "
    "https://doi.org/10.24432/C50P49, CC BY 4.0; the 1,797 digits of its test set, ink counted from 0 to 16."
)
target = Path(__file__).parent.parent / "simulacra" / "data" / "digits.npz"
np.savez_compressed(target, images=images, labels=labels, attribution=np.array(attribution))
print(target, target.stat().st_size, "bytes", images.shape, np.bincount(labels))
