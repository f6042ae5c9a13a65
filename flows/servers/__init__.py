"""Servers: started, found, ended; where they keep records; what they run."""
