"""Trained models as files for other programs: safetensors, ONNX, torch.export.

A model has parts, each a function of named arrays: `generator`, `encoder`, `reconstruction`, `translator-b`,
`translator-a`, and `prior` where latents do not come from N(0, I). A part is written, loaded by the program that will
run it, and compared with the model before its file counts.
"""
