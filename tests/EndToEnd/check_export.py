"""Checks exported models outside of the service, with ONNX's checker and with the PyTorch code that docs/models.md shows.

usage: check_export.py MODELS.md FOLDER...     (FOLDER: of one model)
A folder has uint8.onnx, float32.onnx, model.safetensors, test.npz, and `images`: the first test images as bytes, N×C×H×W. Prints a
JSON array: for each folder how far PyTorch's logits are from the stored ones.
"""
import json
import re
import sys

import numpy as np
import onnx
import torch

document, *folders = sys.argv[1:]
blocks = re.findall(r"```python\n(.*?)```", open(document, encoding="utf-8").read(), re.S)
(code,) = (block for block in blocks if "import json, torch" in block)
shown = {}
exec(code, shown)
differences = []
for folder in folders:
    for file in ("uint8.onnx", "float32.onnx"):
        onnx.checker.check_model(onnx.load(f"{folder}/{file}"), full_check=True)
    weights, metadata = shown["load"](f"{folder}/model.safetensors")
    shape = [int(size) for size in re.findall(r"×(\d+)", metadata["input"])]
    images = torch.from_numpy(np.fromfile(f"{folder}/images", np.uint8).reshape(-1, *shape))
    with torch.no_grad():
        computed = shown["logits"](images, weights, metadata).numpy()
    differences.append(float(np.abs(computed - np.load(f"{folder}/test.npz")["logits"][: len(images)]).max()))
print(json.dumps(differences))
