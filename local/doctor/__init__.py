"""What is missing or wrong on this machine, and how to mend it."""
