"""Output for people: tables, pictures, progress."""
