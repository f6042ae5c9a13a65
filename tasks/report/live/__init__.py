"""What people look at while a search runs: a table, and how long it may still take."""
