"""Make model.onnx and float32.onnx: a small network learns the answers of larger ones (distillation).

    pip install "labeler[train]" torch opencv-python-headless
    python models/default/make.py WORK --faces fer2013/train --votes fer2013/ferplus.csv --valid fer2013/valid \\
        --nonfaces FOLDER --teacher large/model.onnx --teacher second/model.onnx --voice face-api.npy

WORK keeps the views, the answers of the teachers and a checkpoint of each epoch: the same command goes on where it
stopped. Each of two processes takes one core. The teachers are bundles in float32; a voice is an .npy file of
probabilities (n, 7) for the training faces in the order of `labeler train`. Every picture of FOLDER shows no face.

The method: Hinton et al., 2015, *Distilling the Knowledge in a Neural Network*; many views and a long schedule, which
teacher and student see alike: Beyer et al., 2022, *Knowledge Distillation: A Good Teacher Is Patient and Consistent*.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import subprocess
import sys
import time
from collections import defaultdict, deque
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import keras
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import distributed, nn
from torch.nn import functional

from labeler import sources
from labeler.evaluation import calibration
from labeler.inference import quantised_bundle
from labeler.inference.classifier import Classifier
from labeler.labeling import Looker
from labeler.records import Settings
from training import recipes
from training.bundle import export
from training.data import dataset
from training.networks import architectures

Gray = NDArray[np.uint8]
CLASSES = "anger=angry,disgust=disgust,fear=fear,happiness=happy,neutral=neutral,sadness=sad,surprise=surprise"
STAGES = architectures.STAGES
SIDE, VIEWS, EPOCHS = 64, 16, 150
FACES, OTHERS, PROCESSES = 116, 12, 2
"""Faces and other pictures in a batch, which the processes share."""

RATE, DECAY, MOMENTUM = 0.1, 2e-4, 0.9
BALANCE = 0.25
"""Faces are drawn in proportion to the share of their classes to the power of minus this."""

OF_VIEW, OF_FACE, OF_VOTES, OF_VOICE = 0.42, 0.28, 0.2, 0.1
"""Shares of the target: the teachers' answer to this view, their mean answer to all views, the votes, the voice."""

COMPRESSED = 0.35
"""Share of the views that are compressed once more while the network trains."""

FACE_LOSS = 0.3
FACE_THRESHOLD = 0.8
"""From 0.5 to 0.95 as many of the held-out faces pass, 99.8%; above 0.8 fewer of those that are turned or covered."""

NAMES = [pair.split("=")[1] for pair in CLASSES.split(",")]
CARD = {
    "name": "default",
    "weights": "float32",
    "training_data": "FER-2013 training pictures (48x48 grayscale; Goodfellow et al. 2013), votes of FER+ (Barsoum et "
    "al. 2016)",
    "licence": "weights: Apache-2.0; FER+ votes: MIT; FER-2013 was collected for a research challenge and its pictures "
    "belong to their owners",
}


class Block(nn.Module):
    """A residual block of two 3x3 convolutions; Keras pads an even side by one at its end before a stride of 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 2 - stride, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(2))
        self.short = nn.Sequential()
        if inputs != outputs:
            self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        y = functional.relu(self.norms[0](self.first(x if self.stride == 1 else functional.pad(x, (0, 1, 0, 1)))))
        if self.stride > 1:
            x = functional.avg_pool2d(x, self.stride)
        return functional.relu(self.norms[1](self.second(y)) + self.short(x))


class Student(nn.Module):
    """`architectures.default` after its standardising layers: of (n, 1, 64, 64), the logits of 7 classes and a face."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, STAGES[0][0], 3, 2, bias=False), nn.BatchNorm2d(STAGES[0][0])
        self.blocks, inputs = nn.ModuleList(), STAGES[0][0]
        for place, (channels, count) in enumerate(STAGES):
            for block in range(count):
                self.blocks.append(Block(inputs, channels, 2 if place and not block else 1))
                inputs = channels
        self.head = nn.Linear(inputs, 8)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 8) logits."""
        x = functional.relu(self.norm(self.stem(functional.pad(x, (0, 1, 0, 1)))))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


def view(gray: Gray, random: np.random.Generator) -> Gray:
    """Return a picture (64, 64) in another frame, light, sharpness and state, and mirrored or not."""
    mirror = -1 if random.random() < 0.5 else 1
    angle, zoom = math.radians(random.uniform(-15, 15)), math.exp(random.uniform(math.log(0.83), math.log(1.22)))
    wide = 1.1 ** random.uniform(-1, 1)
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    change = np.array([[mirror * cos * wide, -mirror * sin * wide, 0], [sin / wide, cos / wide, 0], [0, 0, 1]])
    change[2, :2] = random.uniform(-0.08, 0.08, 2) / SIDE
    middle = (SIDE - 1) / 2
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = -middle, middle + random.uniform(-0.08, 0.08, 2) * SIDE
    border = (cv2.BORDER_REFLECT_101, cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT)[random.choice(3, p=(0.7, 0.2, 0.1))]
    x = cv2.warpPerspective(
        gray,
        back @ change @ there,
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
        borderValue=int(random.integers(0, 255)),
    )
    x = _lit(x.astype(np.float32) / 255, random)
    x = _worn(x, random)
    low, high = x.min(), x.max()
    seen: Gray = np.round((x - low) / max(high - low, 1e-6) * 255).astype(np.uint8)
    return seen


def _lit(x: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Change the gamma, add light from a side, and change the contrast."""
    if random.random() < 0.8:
        x = x ** math.exp(random.uniform(-0.53, 0.53))
    if random.random() < 0.7:
        across = ((np.arange(SIDE) + 0.5) / SIDE - 0.5).astype(np.float32)
        right, down = random.uniform(-0.4, 0.4, 2)
        x = x * (1 + 2 * (right * across[None, :] + down * across[:, None]))
    mean = x.mean()
    return np.clip((x - mean) * math.exp(random.uniform(math.log(0.6), math.log(1.6))) + mean, 0, 1)


def _worn(x: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Lose resolution, blur or sharpen, add noise, compress, cover a part."""
    if random.random() < 0.25:
        side = int(random.integers(20, 48))
        x = cv2.resize(cv2.resize(x, (side, side), interpolation=cv2.INTER_AREA), (SIDE, SIDE))
    if random.random() < 0.8:
        x = x + (x - cv2.GaussianBlur(x, (5, 5), 1.0)) * random.uniform(-0.9, 1.4)
    if random.random() < 0.4:
        x = x + x.std() * random.uniform(0, 0.25) * random.standard_normal((SIDE, SIDE), dtype=np.float32)
    x = np.clip(x, 0, 1)
    if random.random() < 0.3:
        x = _compressed((x * 255).astype(np.uint8), int(random.integers(15, 85))).astype(np.float32) / 255
    if random.random() < 0.2:
        width, height = random.uniform(0.12, 0.42, 2) * SIDE
        left, top = random.uniform(0, SIDE, 2)
        rows = slice(max(0, int(top - height / 2)), int(top + height / 2) + 1)
        x[rows, max(0, int(left - width / 2)) : int(left + width / 2) + 1] = random.random()
    return x


def standardised(gray: Gray) -> NDArray[np.float32]:
    """Return pictures (n, 64, 64) with mean 0 and standard deviation 1, as the first layers of the network do."""
    x = gray.astype(np.float32) / 255
    x -= x.mean((1, 2), keepdims=True)
    return x / np.sqrt(x.var((1, 2), keepdims=True) + architectures.FLATTEST**2)


def prepare(given: argparse.Namespace) -> None:
    """Write to WORK the faces, their votes, the held-out tenth, the non-faces, the views and the teachers' answers."""
    work: Path = given.work
    if not (work / "data.npz").exists():
        found, _ = dataset.find(given.faces, None, given.votes, CLASSES)
        options = {"val_split": 0.1, "seed": 0, "cache": work, "workers": 1, "progress": lambda *_: None}
        with dataset.opened(found, None, **options) as data:
            held, learnt = data.validation, data.training
            np.savez(
                work / "data.npz",
                gray=data.pixels[learnt.places, :, :, 0],
                votes=data.targets(learnt),
                held=data.pixels[held.places, :, :, 0],
                truth=held.labels,
                others=_pictures(given.nonfaces),
            )
    gray = np.load(work / "data.npz")["gray"]
    if not (work / "views.npy").exists():
        views = np.lib.format.open_memmap(work / "views~.npy", "w+", np.uint8, (len(gray), VIEWS, SIDE, SIDE))
        for place, picture in enumerate(gray):
            random = np.random.default_rng([78, place])
            views[place] = [picture, *(view(picture, random) for _ in range(VIEWS - 1))]
        (work / "views~.npy").rename(work / "views.npy")
    flat = np.load(work / "views.npy", mmap_mode="r").reshape(-1, SIDE, SIDE)
    for number, teacher in enumerate(given.teacher):
        if (work / f"teacher{number}.npy").exists():
            continue
        predict = Classifier(teacher).predict
        answers = [
            (predict(_rgb(flat[at : at + 512])) + predict(_rgb(flat[at : at + 512, :, ::-1]))) / 2
            for at in range(0, len(flat), 512)
        ]
        np.save(work / f"teacher{number}.npy", np.concatenate(answers).reshape(len(gray), VIEWS, -1).astype(np.float16))


def _pictures(folder: Path) -> Gray:
    look = Looker(Settings(root=str(folder), faces="whole"))
    return np.stack([crop[:, :, 0] for file in sources.find(folder) for _, crop in look(file).faces])


def _rgb(gray: Gray) -> Gray:
    return np.repeat(np.ascontiguousarray(gray)[..., None], 3, axis=-1)


def target(given: argparse.Namespace, votes: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the part of the target that depends on the view (n, VIEWS, 7), and the rest (n, 7)."""
    answers = [np.load(given.work / f"teacher{number}.npy").astype(np.float32) for number in range(len(given.teacher))]
    mean = sum(answers) / len(answers)
    voice = np.load(given.voice) if given.voice else votes
    return OF_VIEW * mean, OF_FACE * mean.mean(1) + OF_VOTES * votes + OF_VOICE * voice


def train(rank: int, given: argparse.Namespace) -> None:
    """Train one of the processes; the first one keeps the checkpoint, with the moving average of the weights."""
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    distributed.init_process_group("gloo", f"file://{given.work.resolve()}/meet", rank=rank, world_size=PROCESSES)
    data, views = np.load(given.work / "data.npz"), np.load(given.work / "views.npy", mmap_mode="r")
    votes, others = data["votes"], data["others"]
    of_view, fixed = target(given, votes)
    network = Student().to(memory_format=torch.channels_last)
    if given.start:
        network.load_state_dict(torch.load(given.start)["average"])
    average = copy.deepcopy(network)
    parameters = list(network.parameters())
    kernels, rest = ([one for one in parameters if (one.ndim > 1) is wanted] for wanted in (True, False))
    groups = [{"params": kernels, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0}]
    optimizer = torch.optim.SGD(groups, lr=given.rate, momentum=MOMENTUM, nesterov=True)
    steps = len(votes) // FACES
    total, first, kept = steps * given.epochs, 0, given.work / "state.pt"
    if kept.exists():
        state = torch.load(kept)
        first = state["epoch"]
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
    schedule, momentum = recipes.cosine_decay(given.rate, total), recipes.ema_momentum(total)
    fast = torch.compile(network)
    faces, blanks = FACES // PROCESSES, OTHERS // PROCESSES
    is_face = torch.cat([torch.ones(faces), torch.zeros(blanks)])
    for epoch in range(first, given.epochs):
        began, loss_sum = time.monotonic(), 0.0
        order = np.random.default_rng([given.seed, epoch]).choice(len(votes), steps * FACES, p=_weights(votes))
        for step in range(steps):
            random = np.random.default_rng([given.seed, epoch, step, rank])
            rows = order[step * FACES + rank * faces :][:faces]
            chosen = random.integers(0, VIEWS, faces)
            pictures = [_moved(views[row, number], random) for row, number in zip(rows, chosen, strict=True)]
            pictures += [_other(others[row], random) for row in random.integers(0, len(others), blanks)]
            for group in optimizer.param_groups:
                group["lr"] = float(schedule(epoch * steps + step))
            x = torch.from_numpy(standardised(np.stack(pictures))[:, None]).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = fast(x).float()
            wanted = torch.from_numpy(of_view[rows, chosen] + fixed[rows])
            loss = functional.cross_entropy(logits[:faces, :7], wanted)
            loss = loss + FACE_LOSS * functional.binary_cross_entropy_with_logits(logits[:, 7], is_face)
            optimizer.zero_grad()
            loss.backward()
            _share(parameters)
            optimizer.step()
            _average(average, network, epoch * steps + step + 1, momentum)
            loss_sum += loss.item()
        if rank == 0:
            print(f"epoch {epoch + 1}: loss {loss_sum / steps:.4f}, {time.monotonic() - began:.0f} s", flush=True)
            state = {"epoch": epoch + 1, "optimizer": optimizer.state_dict()}
            state |= {"network": network.state_dict(), "average": average.state_dict()}
            torch.save(state, kept.with_suffix(".new"))
            kept.with_suffix(".new").rename(kept)


def _weights(votes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how often each face is drawn, as shares."""
    weights = (votes @ votes.sum(0) ** -BALANCE).astype(np.float64)
    return weights / weights.sum()


def _moved(gray: Gray, random: np.random.Generator) -> Gray:
    """Shift a picture by up to 3 pixels, mirror half of them, and compress a third: the answer should not change."""
    down, right = random.integers(0, 7, 2)
    moved: Gray = np.pad(gray, 3, mode="edge")[down : down + SIDE, right : right + SIDE]
    moved = moved[:, ::-1] if random.random() < 0.5 else moved
    return _compressed(moved, int(random.integers(10, 70))) if random.random() < COMPRESSED else moved


def _compressed(gray: Gray, quality: int) -> Gray:
    """Return a picture as JPEG of some quality keeps it."""
    kept: Gray = cv2.imdecode(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    return kept


def _other(gray: Gray, random: np.random.Generator) -> Gray:
    return view(gray, random) if random.random() < 0.7 else gray


def _share(parameters: list[nn.Parameter]) -> None:
    """Average the gradients of the processes."""
    flat = torch.cat([one.grad.reshape(-1) for one in parameters])
    distributed.all_reduce(flat)
    for one, part in zip(parameters, flat.split([one.numel() for one in parameters]), strict=True):
        one.grad.copy_(part.view_as(one) / PROCESSES)


@torch.no_grad()
def _average(average: nn.Module, network: nn.Module, step: int, momentum: float) -> None:
    """Move the average of the weights and statistics; the first steps count less, as they come from random weights."""
    kept = min(momentum, step / (step + 10))
    for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - kept)


def finish(given: argparse.Namespace) -> None:
    """Choose the temperature by the held-out tenth, and write both bundles to WORK.

    The logits are those of the classes as they were drawn. They are moved to the classes as they are before the
    temperature, and after it to the prior that ships (Saerens et al., 2002); the temperature is fitted to what comes of
    both. The last layer does all of this: the card tells no temperature, which would be applied to a network that is
    trained further.
    """
    data = np.load(given.work / "data.npz")
    student = Student().eval()
    student.load_state_dict(torch.load(given.work / "state.pt")["average"])
    with torch.no_grad():
        x = torch.from_numpy(standardised(data["held"])[:, None])
        logits = torch.cat([student(part) for part in x.split(256)]).numpy().astype(np.float64)
    votes, truth = data["votes"], data["truth"]
    drawn = np.average(votes, axis=0, weights=_weights(votes))
    undrawn = np.log(votes.mean(0) / drawn)
    shares = np.bincount(truth, minlength=7) / len(truth)
    prior = shares ** (1 - given.power) / (shares ** (1 - given.power)).sum()

    def answers(scale: float) -> NDArray[np.float64]:
        return log_softmax((logits[:, :7] + undrawn) / scale + np.log(prior / shares), axis=1)

    def loss(log_scale: float) -> float:
        return -float(answers(math.exp(log_scale))[np.arange(len(truth)), truth].mean())

    scale = math.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x)
    found = np.exp(answers(scale))
    right = found.argmax(1) == truth
    recall = np.mean([right[truth == one].mean() for one in range(7)])
    error = calibration.calibration_error(found, truth)
    print(f"held out: {right.mean():.2%} right, {recall:.2%} balanced, calibration error {error:.2%}")
    random, views = np.random.default_rng(0), np.load(given.work / "views.npy", mmap_mode="r")
    samples = _rgb(views[random.choice(len(votes), 256, replace=False), random.integers(0, VIEWS, 256)])
    card = {**CARD, "prior": prior.round(6).tolist(), "face_threshold": FACE_THRESHOLD}
    exact = given.work / "float32.onnx"
    offsets = undrawn / scale + np.log(prior / shares)
    export.export(_in_keras(student, scale, offsets), NAMES, exact, samples=samples, card=card)
    quantised_bundle.quantise(exact, given.work / "model.onnx", samples, "Percentile")
    for path in (exact, given.work / "model.onnx"):
        export.describe(path, {"validation": _validation(path, given), "speed": _speed(path, samples)})


def _validation(path: Path, given: argparse.Namespace) -> dict[str, object]:
    """Return the figures of `labeler evaluate` for a card."""
    command = [sys.executable, "-m", "labeler", "evaluate", given.valid, "--labels", given.votes, "--classes", CLASSES]
    command += ["--without-copies-of", given.faces, "--model", path, "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    kept = ("n", "accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "majority_baseline", "left_out")
    about = {"data": "FER-2013 PublicTest", "against": "the majority of FER+", **{key: found[key] for key in kept}}
    return about | {"ece": found["confidence"]["ece"]}


def _speed(path: Path, samples: Gray) -> int:
    """Return the faces a second on one core, to two figures: the median of nine runs of 512."""
    answer = Classifier(path).answer
    faces = samples[np.arange(512) % len(samples)]
    times = []
    for _ in range(10):
        began = time.perf_counter()
        answer(faces)
        times.append(time.perf_counter() - began)
    return int(float(f"{512 / np.median(times[1:]):.2g}"))


def _in_keras(student: Student, scale: float, offsets: NDArray[np.float64]) -> keras.Model:
    """Return the network with a second output for faces; layers of the same shape have the same order in both."""
    pairs = [(student.stem, student.norm)]
    for block in student.blocks:
        pairs += [(block.first, block.norms[0]), (block.second, block.norms[1])]
        if len(block.short):
            pairs.append((block.short[0], block.short[1]))
    waiting = defaultdict(deque)
    for convolution, norm in pairs:
        kernel = convolution.weight.detach().numpy().transpose(2, 3, 1, 0)
        waiting[kernel.shape].append((kernel, norm))
    network = architectures.default(7)
    norms = {id(one.input): one for one in network.layers if isinstance(one, keras.layers.BatchNormalization)}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.name != "gray":
            kernel, norm = waiting[tuple(layer.kernel.shape)].popleft()
            layer.set_weights([kernel])
            weight, bias, mean, variance = (
                one.detach().numpy() for one in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
            )
            target = norms[id(layer.output)]
            weight = weight * np.sqrt((variance + target.epsilon) / (variance + norm.eps))
            target.set_weights([weight, bias, mean, variance])
    kernel, bias = student.head.weight.detach().numpy().T, student.head.bias.detach().numpy()
    network.layers[-1].set_weights([kernel[:, :7] / scale, bias[:7] / scale + offsets])
    face = keras.layers.Dense(1, activation="sigmoid", name="face")
    whole = keras.Model(network.input, [network.output, face(network.layers[-1].input)])
    face.set_weights([kernel[:, 7:], bias[7:]])
    return whole


def main() -> None:
    """Run what is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True, help="faces of --votes for the figures on the cards")
    parser.add_argument("--nonfaces", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, action="append", required=True)
    parser.add_argument("--voice", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--rate", type=float, default=RATE, help="the largest learning rate")
    parser.add_argument("--start", type=Path, help="checkpoint, state.pt, of another WORK whose network is trained on")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--power", type=float, default=0.35, help="how far the prior that ships is evened out: 0 to 1")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    prepare(given)
    (given.work / "meet").unlink(missing_ok=True)
    torch.multiprocessing.spawn(train, (given,), PROCESSES)
    finish(given)


if __name__ == "__main__":
    main()
