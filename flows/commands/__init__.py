"""The commands of the command line beside the search itself."""
