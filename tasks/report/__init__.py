"""Output for people: tables, pictures, what is shown live."""
