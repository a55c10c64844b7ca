"""The command line, a module for each command. Nothing of the library imports it."""
