"""`python -m vlmbench` is the command `vlmbench`."""

import sys

from vlmbench.cli import main

sys.exit(main())
