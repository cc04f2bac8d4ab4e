"""New rules over kept calls: what changes, how good it is where people judged, what to listen to next."""
