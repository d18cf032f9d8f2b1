"""`hardener compare`: hold what Rspack and what upstream's webpack make of the same tree together, before a release."""
