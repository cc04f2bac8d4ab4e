"""Turns checkpoints of other toolkits into model folders of ours; docs/models.md tells how to use it.

detect names a source's format; one module a format turns it into a Draft; folder writes, asks and proves
it; hub fetches known checkpoints. Heavy libraries are imported only by the module of their own format.
"""
