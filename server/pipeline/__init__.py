"""The road: decode → speech → models → turns → operators → rules → report. Each step exists once."""
