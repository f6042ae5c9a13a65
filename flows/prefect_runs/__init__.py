"""How flow runs are named, end, wait for each other, and for people."""
