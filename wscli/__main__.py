"""``python -m wscli`` is ``wscli``."""

import sys

from wscli.cli import main

if __name__ == "__main__":
    sys.exit(main())
