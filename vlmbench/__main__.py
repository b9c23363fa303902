"""`python -m vlmbench` is the command `vlmbench`."""

import sys

from vlmbench.cli.main import main

sys.exit(main())
