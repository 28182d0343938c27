#!/usr/bin/env python3
"""Writes the JSON files beside this script: what PyTorch computes, for Temper to agree with.

Run with Debian's python3-torch (1.13): /usr/bin/python3 make_fixtures.py
Inputs come from an integer hash that the tests compute too, so the files hold results only.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent


def values(count, salt, dtype=torch.float32):
    """count numbers in [-0.5, 0.5), the same in C#: Values.Of."""
    index = torch.arange(count, dtype=torch.int64)
    hashed = (index * 2654435761 + salt * 40503) % 2**32
    return (hashed.to(torch.float64) / 2**32 - 0.5).to(dtype)


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().to(torch.float64).flatten().tolist()]


def write(name, content):
    (HERE / name).write_text(json.dumps(content, separators=(",", ":")) + "\n")


def cross_entropy():
    """Loss and gradient in float64, for both conventions, over K, epsilon and the spread of the logits."""
    cases = []
    for classes, epsilons in ((2, (0, 0.1, 0.5)), (3, (0, 0.05, 0.1, 0.2, 0.6)), (10, (0, 0.05, 0.1, 0.3, 0.9)), (100, (0, 0.1))):
        for spread in (1, 10, 80):
            for epsilon in epsilons:
                salt = classes + spread
                rows = 4
                logits = (values(rows * classes, salt, torch.float64) * 2 * spread).to(torch.float32).to(torch.float64)
                logits = logits.view(rows, classes).requires_grad_()
                labels = torch.tensor([(i * 7 + classes) % classes for i in range(rows)])
                uniform = F.cross_entropy(logits, labels, label_smoothing=epsilon)
                (uniform_gradient,) = torch.autograd.grad(uniform, logits)
                target = torch.full((rows, classes), epsilon / (classes - 1), dtype=torch.float64)
                target[torch.arange(rows), labels] = 1 - epsilon
                others = -(target * F.log_softmax(logits, 1)).sum(1).mean()
                (others_gradient,) = torch.autograd.grad(others, logits)
                cases.append(dict(
                    classes=classes, spread=spread, epsilon=epsilon, salt=salt, labels=labels.tolist(),
                    uniform=uniform.item(), uniformGradient=numbers(uniform_gradient),
                    others=others.item(), othersGradient=numbers(others_gradient)))
    write("cross_entropy.json", cases)


def losses():
    """The other losses and their gradients in float64, as their papers define them; FLSD-53 has no gradient through gamma."""
    def terms(logits, labels):
        logs = F.log_softmax(logits, 1)
        return logs, logs.gather(1, labels[:, None])[:, 0]

    def focal(logits, labels, gamma):
        _, log = terms(logits, labels)
        return (-((1 - log.exp()) ** gamma) * log).mean()

    def flsd53(logits, labels):
        _, log = terms(logits, labels)
        gamma = torch.where(log.detach().exp() < 0.2, 5.0, 3.0)
        return (-((1 - log.exp()) ** gamma) * log).mean()

    def confidence_penalty(logits, labels, beta):
        logs, log = terms(logits, labels)
        return (-log + beta * (logs.exp() * logs).sum(1)).mean()

    def margin_smoothing(logits, labels, margin, weight):
        _, log = terms(logits, labels)
        return (-log).mean() + weight * F.relu(logits.max(1, keepdim=True).values - logits - margin).mean()

    def max_suppression(logits, labels, epsilon):
        _, log = terms(logits, labels)
        return (-log + epsilon * (logits.max(1).values - logits.mean(1))).mean()

    settings = [
        dict(loss="focal", gamma=0.5), dict(loss="focal", gamma=1), dict(loss="focal", gamma=2), dict(loss="focal", gamma=5),
        dict(loss="focal", gammaSchedule="flsd53"), dict(loss="confidencePenalty", beta=0.1), dict(loss="confidencePenalty", beta=1),
        dict(loss="marginSmoothing", margin=10, weight=0.1), dict(loss="marginSmoothing", margin=0, weight=1),
        dict(loss="maxSuppression", epsilon=0.1), dict(loss="maxSuppression", epsilon=0.5)]
    functions = dict(
        focal=lambda x, y, s: flsd53(x, y) if "gammaSchedule" in s else focal(x, y, s["gamma"]),
        confidencePenalty=lambda x, y, s: confidence_penalty(x, y, s["beta"]),
        marginSmoothing=lambda x, y, s: margin_smoothing(x, y, s["margin"], s["weight"]),
        maxSuppression=lambda x, y, s: max_suppression(x, y, s["epsilon"]))
    cases = []
    for setting in settings:
        for classes in (2, 10):
            for spread in (1, 10, 40):
                rows, salt = 6, 100 + classes + spread
                logits = (values(rows * classes, salt, torch.float64) * 2 * spread).to(torch.float32).to(torch.float64)
                logits = logits.view(rows, classes).requires_grad_()
                labels = torch.tensor([(i * 7 + classes) % classes for i in range(rows)])
                loss = functions[setting["loss"]](logits, labels, setting)
                (gradient,) = torch.autograd.grad(loss, logits)
                if not torch.isfinite(gradient).all():  # the plain formula of gamma < 1 at p = 1
                    continue
                cases.append(dict(classes=classes, spread=spread, salt=salt, labels=labels.tolist(), settings=setting,
                                  mean=loss.item(), gradient=numbers(gradient)))
    write("losses.json", cases)


def layers():
    """Output and gradients of each layer for the loss sum(output * coefficients)."""
    def run(name, function, *shapes):
        inputs = [values(math.prod(shape), salt + 1).view(shape).requires_grad_() for salt, shape in enumerate(shapes)]
        output = function(*inputs)
        (output * values(output.numel(), 99).view_as(output)).sum().backward()
        return dict(name=name, output=numbers(output), gradients=[numbers(x.grad) for x in inputs])

    def conv(**options):
        return lambda x, w, b: F.conv2d(x, w, b, **options)

    write("layers.json", [
        run("conv2d padded", conv(padding=1), (2, 1, 6, 6), (4, 1, 3, 3), (4,)),
        run("conv2d of channels", conv(padding=1), (2, 3, 5, 7), (4, 3, 3, 3), (4,)),
        run("conv2d strided and dilated", conv(stride=2, dilation=2), (1, 2, 9, 9), (2, 2, 3, 3), (2,)),
        run("conv2d grouped", conv(padding=1, groups=2), (1, 4, 4, 4), (4, 2, 3, 3), (4,)),
        run("linear", F.linear, (3, 5), (4, 5), (4,)),
        run("linear and relu", lambda x, w, b: F.relu(F.linear(x, w, b)), (9, 20), (24, 20), (24,)),
        run("conv2d of many channels", lambda x, w: F.conv2d(x, w, padding=1), (2, 16, 5, 6), (16, 16, 3, 3)),
        run("conv2d, relu, max_pool2d", lambda x, w, b: F.max_pool2d(F.relu(F.conv2d(x, w, b, padding=1)), 2), (2, 16, 5, 6), (16, 16, 3, 3), (16,)),
    ])


OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=1e-2),
    "adam with weight decay": lambda p: torch.optim.Adam(p, lr=1e-2, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd with momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
}


def optimizers():
    """Ten steps on sum((w - goal)^2 * scale), the parameters after each."""
    cases = []
    for name, create in OPTIMIZERS.items():
        weights = [torch.nn.Parameter(values(6, 1)), torch.nn.Parameter(values(4, 2).view(2, 2))]
        goals, scales = [values(6, 3), values(4, 4).view(2, 2)], [values(6, 5) + 1, values(4, 6).view(2, 2) + 1]
        optimizer = create(weights)
        steps = []
        for _ in range(10):
            optimizer.zero_grad()
            sum((((w - g) * (w - g)) * s).sum() for w, g, s in zip(weights, goals, scales)).backward()
            optimizer.step()
            steps.append([x for w in weights for x in numbers(w)])
        cases.append(dict(name=name, steps=steps))
    write("optimizers.json", cases)


class Cnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = torch.nn.Linear(64 * 7 * 7, 128)
        self.fc2 = torch.nn.Linear(128, 10)
        with torch.no_grad():
            for salt, parameter in enumerate(self.parameters()):
                fan_in = parameter[0].numel() if parameter.dim() > 1 else 100
                parameter.copy_((values(parameter.numel(), salt, torch.float64) * 2 / math.sqrt(fan_in)).view_as(parameter))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def training_run():
    """Twenty steps of the tutorial CNN on batches of 32: the loss of each, and what became of the weights."""
    cases = []
    for name, create in (("adam", lambda p: torch.optim.Adam(p, lr=1e-3)),
                         ("sgd", lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True))):
        model = Cnn()
        optimizer = create(model.parameters())
        losses = []
        for step in range(20):
            images = values(32 * 784, 1000 + step).view(32, 1, 28, 28) + torch.tensor([i % 10 for i in range(32)]).view(32, 1, 1, 1) / 10
            labels = torch.tensor([i % 10 for i in range(32)])
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels, label_smoothing=0.1)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        weights = [dict(name=n, norm=p.detach().double().norm().item(), sample=numbers(p.flatten()[:: max(1, p.numel() // 16)][:16]))
                   for n, p in model.named_parameters()]
        cases.append(dict(name=name, losses=losses, weights=weights))
    write("training_run.json", cases)


if __name__ == "__main__":
    torch.manual_seed(0)
    cross_entropy()
    losses()
    layers()
    optimizers()
    training_run()
