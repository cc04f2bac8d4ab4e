"""The running service: doors at the edge, one road inside."""
