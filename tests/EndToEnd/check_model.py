"""Checks a trained model outside of the service, with NumPy and PyTorch alone.

usage: check_model.py MODEL.safetensors LOGITS.npz PIXELS     (PIXELS: the images as bytes, N×28×28)
Prints JSON: how far PyTorch's logits are from the stored ones, and some figures recomputed from the stored ones.
"""
import json
import sys

import numpy as np
import torch


def load_safetensors(path):
    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        start, end = entry["data_offsets"]
        tensors[name] = torch.from_numpy(np.frombuffer(data[8 + size + start : 8 + size + end], "<f4").reshape(entry["shape"]).copy())
    return tensors, metadata


class Cnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = torch.nn.Linear(64 * 7 * 7, 128)
        self.fc2 = torch.nn.Linear(128, 10)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


weights, metadata = load_safetensors(sys.argv[1])
stored = np.load(sys.argv[2])
logits, labels = stored["logits"], stored["labels"]
model = Cnn()
model.load_state_dict(weights)  # strict: every key there, and no other
pixels = np.fromfile(sys.argv[3], np.uint8).reshape(-1, 1, 28, 28).astype(np.float64)
images = torch.from_numpy(((pixels - float(metadata["mean"])) / float(metadata["deviation"])).astype(np.float32))
with torch.no_grad():
    computed = torch.cat([model(batch) for batch in images.split(1000)]).numpy()

z = logits.astype(np.float64)
log_p = z - z.max(1, keepdims=True)
log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
confidences, hits = np.exp(log_p.max(1)), logits.argmax(1) == labels
bins = np.ceil(confidences * 15).astype(int)
print(json.dumps(dict(
    count=len(labels), classes=logits.shape[1], logitsType=str(logits.dtype), labelsType=str(labels.dtype),
    relativeDifference=float(np.abs(computed - logits).max() / np.abs(logits).max()),
    accuracy=float(hits.mean()), nll=float(-log_p[np.arange(len(labels)), labels].mean()),
    ece=float(sum(abs(hits[bins == b].sum() - confidences[bins == b].sum()) for b in range(1, 16)) / len(labels)),
    signedGap=float(confidences.mean() - hits.mean()))))
