"""Checks exported models outside of the service, with ONNX's checker and with the PyTorch code that docs/models.md shows.

usage: check_export.py MODELS.md PIXELS FOLDER...     (PIXELS: the images as bytes, N×28×28; FOLDER: of one model)
A folder has model.onnx, model.safetensors and test.npz. Prints a JSON array: for each how far PyTorch's logits are from the stored.
"""
import json
import re
import sys

import numpy as np
import onnx
import torch

document, pixels, *folders = sys.argv[1:]
blocks = re.findall(r"```python\n(.*?)```", open(document, encoding="utf-8").read(), re.S)
(code,) = (block for block in blocks if "import json, torch" in block)
shown = {}
exec(code, shown)
images = torch.from_numpy(np.fromfile(pixels, np.uint8).reshape(-1, 1, 28, 28))
differences = []
for folder in folders:
    onnx.checker.check_model(onnx.load(f"{folder}/model.onnx"), full_check=True)
    weights, metadata = shown["load"](f"{folder}/model.safetensors")
    with torch.no_grad():
        computed = torch.cat([shown["logits"](batch, weights, metadata) for batch in images.split(1000)]).numpy()
    differences.append(float(np.abs(computed - np.load(f"{folder}/test.npz")["logits"]).max()))
print(json.dumps(differences))
