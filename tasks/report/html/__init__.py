"""A search, or several of them, as one HTML file that needs nothing beside it."""
