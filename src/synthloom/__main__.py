"""`python -m synthloom`: the same as the command."""

import sys

from synthloom.cli import main

if __name__ == "__main__":  # not in the workers that it starts
    sys.exit(main())
