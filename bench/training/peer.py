"""The tutorial CNN on MNIST in PyTorch, as its users would write it.

    peer.py stock FOLDER IMAGES [--threads N] [--workers N]    torchvision's MNIST, one sample at a time through a DataLoader
    peer.py resident FOLDER IMAGES [--threads N]               all images in one tensor, a batch is one index
    peer.py tuned FOLDER IMAGES [--threads N]                  resident, channels_last, pooling before relu, malloc thresholds
    peer.py resnet DEPTH IMAGES [--threads N]                  a CIFAR ResNet on random 3×32×32 images, tuned in the same way, SGD
    peer.py sgemm                                              the machine's own rate on 2048×2048 matrices

Prints images per second of training, after a warm-up of 20 batches (3 of a ResNet); for sgemm GFLOP/s.
"""
import argparse
import ctypes
import gzip
import itertools
import os
import tempfile
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F

BATCH, WARM_UP = 128, 20


class Cnn(nn.Module):
    def __init__(self, pool_first):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(64 * 7 * 7, 128), nn.Linear(128, 10)
        self.block = self.pool_first if pool_first else self.relu_first

    @staticmethod
    def relu_first(x):
        return F.max_pool2d(F.relu(x), 2)

    @staticmethod
    def pool_first(x):
        return F.relu(F.max_pool2d(x, 2))

    def forward(self, x):
        x = self.block(self.conv1(x))
        x = self.block(self.conv2(x))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.stride, self.more = stride, after - before
        self.conv1, self.norm1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.norm2 = nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)), inplace=True)))
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(y + x, inplace=True)


def resnet(depth):
    blocks, before = [], 16
    for after in (16, 32, 64):
        for i in range((depth - 2) // 6):
            blocks.append(Block(before, after, 2 if before != after else 1))
            before = after
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def per_sample(folder, workers):
    from torchvision import datasets, transforms

    # torchvision reads the unpacked files.
    root = tempfile.mkdtemp()
    raw = os.path.join(root, "MNIST", "raw")
    os.makedirs(raw)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        with gzip.open(os.path.join(folder, name + ".gz")) as packed, open(os.path.join(raw, name), "wb") as file:
            file.write(packed.read())
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    loader = torch.utils.data.DataLoader(datasets.MNIST(root, train=True, transform=transform), batch_size=BATCH, shuffle=True, num_workers=workers)
    while True:
        yield from loader


def resident(folder, channels_last):
    def read(name, header):
        with gzip.open(os.path.join(folder, name)) as file:
            return torch.from_numpy(numpy.frombuffer(file.read(), numpy.uint8, offset=header).copy())

    images = read("train-images-idx3-ubyte.gz", 16).view(-1, 1, 28, 28).float().div_(255).sub_(0.1307).div_(0.3081)
    labels = read("train-labels-idx1-ubyte.gz", 8).long()
    if channels_last:
        images = images.to(memory_format=torch.channels_last)
    while True:
        order = torch.randperm(len(images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            yield images[batch], labels[batch]


def tune_malloc():
    """Freed activations stay in the heap instead of going back to the kernel: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD."""
    libc = ctypes.CDLL("libc.so.6")
    for option, value in ((-3, 1 << 30), (-1, (1 << 31) - 1), (-2, 64 << 20)):
        assert libc.mallopt(option, value) == 1


def random_images():
    images, labels = torch.randn(10 * BATCH, 3, 32, 32).to(memory_format=torch.channels_last), torch.randint(10, (10 * BATCH,))
    while True:
        for start in range(0, len(images), BATCH):
            yield images[start : start + BATCH], labels[start : start + BATCH]


def set_up(arguments):
    if arguments.what == "resnet":
        tune_malloc()
        model = resnet(int(arguments.folder)).to(memory_format=torch.channels_last)
        return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True), random_images()
    tuned = arguments.what == "tuned"
    if tuned:
        tune_malloc()
    model = Cnn(pool_first=tuned)
    if tuned:
        model = model.to(memory_format=torch.channels_last)
    batches = per_sample(arguments.folder, arguments.workers) if arguments.what == "stock" else resident(arguments.folder, tuned)
    return model, torch.optim.Adam(model.parameters(), lr=1e-3), batches


def train(arguments):
    model, optimizer, batches = set_up(arguments)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    warm_up = 3 if arguments.what == "resnet" else WARM_UP
    total = 0.0
    for step, (images, labels) in enumerate(itertools.islice(batches, warm_up + arguments.images // BATCH)):
        if step == warm_up:
            start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(arguments.images // BATCH * BATCH / (time.perf_counter() - start))


def sgemm():
    left, right = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best = 0.0
    for _ in range(12):
        start = time.perf_counter()
        left @ right
        best = max(best, 2 * 2048**3 / (time.perf_counter() - start) / 1e9)
    print(best)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["stock", "resident", "tuned", "resnet", "sgemm"])
    parser.add_argument("folder", nargs="?", help="of MNIST's files; for resnet its depth")
    parser.add_argument("images", nargs="?", type=int)
    parser.add_argument("--threads", type=int, default=0, help="0: PyTorch's own default")
    parser.add_argument("--workers", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.what == "sgemm":
        sgemm()
    else:
        train(arguments)


main()
