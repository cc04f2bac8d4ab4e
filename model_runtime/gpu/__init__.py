"""Recognisers on a GPU: int16 samples go over once, what was heard comes back.

batches cuts a queue into padded batches; ragged and features make frames on the device; conformer is the
network; ctc reads its scores there; engine drives them; recogniser and doors serve a model folder. Needs
torch, and runs on a CPU too, which is how it is tested where there is no GPU.
"""
