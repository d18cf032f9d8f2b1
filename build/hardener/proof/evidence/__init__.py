"""Browser evidence: a built site is visited inside a sealed network, and two witnesses say whom it talked to."""
