"""How the starter tag model was made: ``python -m training.tags.run --data DIR --out DIR``."""
