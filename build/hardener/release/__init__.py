"""Files that are published with the archives: the bill of materials."""
