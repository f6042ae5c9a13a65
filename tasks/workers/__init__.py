"""Processes in which trials run: forked from one that has torch imported, ended with their tree."""
