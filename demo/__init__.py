"""Demonstration calls and the program behind `make demo`."""
