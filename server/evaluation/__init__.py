"""Labelled data and the usual figures of models on it: reading and arithmetic, no model is asked."""
