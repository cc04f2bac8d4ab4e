"""Spoken numbers and their normal form: found by ``normal``, told apart by ``kinds`` and ``clock``."""
