"""The road: decode → speech → models → turns → operators → rules → report. One implementation of each step."""
