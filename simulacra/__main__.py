"""`python -m simulacra` is the command line; `torchrun -m simulacra` starts it in several processes."""

import sys

from simulacra.cli import main

sys.exit(main())
