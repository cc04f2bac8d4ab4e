"""How the starter emotion model was made: ``python -m training.emotion.run --data DIR --out DIR``."""
