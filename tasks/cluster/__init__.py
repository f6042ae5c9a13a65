"""Trials on the machines of a cluster: agents there run them, and their files travel."""
