"""Images between files, bytes and tensors. Everywhere else an image is float32 ``(B, C, H, W)`` in [-1, 1].

Only this package converts: bytes are uint8 in [0, 255], ``x = byte / 127.5 - 1``.
"""

from simulacra.images.convert import *
from simulacra.images.decode import *
from simulacra.images.depth import *
from simulacra.images.names import *
from simulacra.images.sheets import *
from simulacra.images.write import *
