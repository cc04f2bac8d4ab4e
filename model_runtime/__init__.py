"""What an imported model is served with; ``earshot models import`` copies this package into its folder.

Stands alone: numpy and onnxruntime, nothing of the rest of earshot. spec says what a folder's ``model.json``
holds, doors are what Triton calls, the rest turns sound or text into answers.
"""
