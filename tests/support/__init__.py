"""What several test files are made of."""
