from __future__ import annotations

import sys

from hardener.cli.main import main

sys.exit(main())
