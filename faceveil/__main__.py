"""`python -m faceveil`: the same as the command `faceveil`."""

import sys

from faceveil.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
