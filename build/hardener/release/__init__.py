"""What is published beside the archives: the bill of materials."""
