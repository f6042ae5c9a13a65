"""The engine that runs a search for every strategy's flow."""
