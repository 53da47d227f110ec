"""`python -m synthloom`: the same as the command."""

import sys

from synthloom.cli import main

sys.exit(main())
