"""Operators of a third party: found by earshot through the entry point of this package."""
