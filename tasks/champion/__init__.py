"""The champion: its registry, how it is compared, watched, and trained again."""
