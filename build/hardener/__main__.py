from __future__ import annotations

import sys

from hardener.cli import main

sys.exit(main())
