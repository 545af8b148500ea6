"""What is said about flags: which field a flag sets, by which name an error calls it, and when it would do nothing."""
