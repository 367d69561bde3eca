"""Architectures of the networks that the survey names (section III), and two later ones.

Layers have the names of the workload tables.
"""

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from stillflow.compiler.zoo.graph import FloatGraph

CLASSES = 1000  # of ImageNet


@dataclass(frozen=True, kw_only=True)
class ZooNetwork:
    """A network of the zoo.

    Parameters
    ----------
    title : str
        Its name in the workload tables.
    channels, size : int
        Of its input image.
    build : callable
        Adds its layers to a graph and returns the name of the scores.
    source : str
        Publication.
    """

    title: str
    channels: int
    size: int
    build: Callable[[FloatGraph], str]
    source: str

    def model(self, seed: int) -> onnx.ModelProto:
        """Make the float model."""
        name = self.title.replace("-", "").lower()
        graph = FloatGraph(name, channels=self.channels, size=self.size, seed=seed)
        return graph.model(self.build(graph))


def _lenet5(g: FloatGraph) -> str:
    value = g.max_pool("S2", g.relu(g.conv("C1", g.input, 6, 5)), 2, 2)
    value = g.max_pool("S4", g.relu(g.conv("C3", value, 16, 5)), 2, 2)
    value = g.flatten("flat", g.relu(g.conv("C5", value, 120, 5)))
    return g.fc("OUT", g.relu(g.fc("F6", value, 84, 120)), 10, 84)


def _classifier(g: FloatGraph, value: str, sizes: tuple[int, int, int]) -> str:
    inputs, first, second = sizes
    value = g.relu(g.fc("FC6", g.flatten("flat", value), first, inputs))
    value = g.relu(g.fc("FC7", value, second, first))
    return g.fc("FC8", value, CLASSES, second)


def _alexnet(g: FloatGraph) -> str:
    value = g.relu(g.conv("CONV1", g.input, 96, 11, stride=4))
    value = g.max_pool("pool1", g.lrn("norm1", value), 3, 2)
    value = g.relu(g.conv("CONV2", value, 256, 5, pad=2, groups=2))
    value = g.max_pool("pool2", g.lrn("norm2", value), 3, 2)
    value = g.relu(g.conv("CONV3", value, 384, 3, pad=1))
    value = g.relu(g.conv("CONV4", value, 384, 3, pad=1, groups=2))
    value = g.relu(g.conv("CONV5", value, 256, 3, pad=1, groups=2))
    return _classifier(g, g.max_pool("pool5", value, 3, 2), (9216, 4096, 4096))


def _overfeat(g: FloatGraph) -> str:
    value = g.max_pool("pool1", g.relu(g.conv("CONV1", g.input, 96, 11, stride=4)), 2, 2)
    value = g.max_pool("pool2", g.relu(g.conv("CONV2", value, 256, 5)), 2, 2)
    for number, filters in ((3, 512), (4, 1024), (5, 1024)):
        value = g.relu(g.conv(f"CONV{number}", value, filters, 3, pad=1))
    return _classifier(g, g.max_pool("pool5", value, 2, 2), (36864, 3072, 4096))


def _vgg16(g: FloatGraph) -> str:
    value = g.input
    for stage, (filters, depth) in enumerate(
        ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1
    ):
        for number in range(1, depth + 1):
            value = g.relu(g.conv(f"CONV{stage}-{number}", value, filters, 3, pad=1))
        value = g.max_pool(f"pool{stage}", value, 2, 2)
    return _classifier(g, value, (25088, 4096, 4096))


#: Filters of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection.
_INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def _googlenet(g: FloatGraph) -> str:
    value = g.relu(g.conv("conv1/7x7_s2", g.input, 64, 7, stride=2, pad=3))
    value = g.lrn("norm1", g.max_pool("pool1", value, 3, 2, ceil=True))
    value = g.relu(g.conv("conv2/3x3_reduce", value, 64, 1))
    value = g.lrn("norm2", g.relu(g.conv("conv2/3x3", value, 192, 3, pad=1)))
    value = g.max_pool("pool2", value, 3, 2, ceil=True)
    for name, (one, three_r, three, five_r, five, pool) in _INCEPTION.items():
        branches = [
            g.relu(g.conv(f"{name}/1x1", value, one, 1)),
            g.relu(
                g.conv(
                    f"{name}/3x3", g.relu(g.conv(f"{name}/3x3r", value, three_r, 1)), three, 3,
                    pad=1,
                )
            ),
            g.relu(
                g.conv(
                    f"{name}/5x5", g.relu(g.conv(f"{name}/5x5r", value, five_r, 1)), five, 5, pad=2
                )
            ),
            g.relu(
                g.conv(
                    f"{name}/pool_proj", g.max_pool(f"{name}/pool", value, 3, 1, pad=1), pool, 1
                )
            ),
        ]  # fmt: skip
        value = g.concat(f"{name}/output", branches)
        if name in ("3b", "4e"):
            value = g.max_pool(f"pool{name[0]}", value, 3, 2, ceil=True)
    return g.fc("fc", g.average("pool5", value), CLASSES, 1024)


def _resnet18(g: FloatGraph) -> str:
    value = g.relu(g.conv("conv1", g.input, 64, 7, stride=2, pad=3, normalised=True))
    value = g.max_pool("pool1", value, 3, 2, pad=1)
    for stage, filters in ((2, 64), (3, 128), (4, 256), (5, 512)):
        for block in range(2):
            name, stride = f"l{stage}.{block}", 2 if block == 0 and stage > 2 else 1
            short = value
            if stride == 2:
                short = g.conv(f"{name}.down", value, filters, 1, stride=2, normalised=True)
            inner = g.conv(f"{name}.c1", value, filters, 3, stride=stride, pad=1, normalised=True)
            inner = g.conv(f"{name}.c2", g.relu(inner), filters, 3, pad=1, gain=0.4,
                           normalised=True)  # fmt: skip
            value = g.relu(g.add(f"{name}.add", inner, short))
    return g.fc("fc", g.average("pool5", value), CLASSES, 512)


def _resnet50(g: FloatGraph) -> str:
    value = g.relu(g.conv("conv1", g.input, 64, 7, stride=2, pad=3, normalised=True))
    value = g.max_pool("pool1", value, 3, 2, pad=1)
    for stage, (filters, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=2):
        for block in "abcdef"[:blocks]:
            name, first = f"res{stage}{block}", block == "a"
            stride = 2 if first and stage > 2 else 1
            short = value
            if first:
                short = g.conv(f"{name}_branch1", value, 4 * filters, 1, stride=stride,
                               normalised=True)  # fmt: skip
            inner = g.relu(g.conv(f"{name}_2a", value, filters, 1, stride=stride, normalised=True))
            inner = g.relu(g.conv(f"{name}_2b", inner, filters, 3, pad=1, normalised=True))
            inner = g.conv(f"{name}_2c", inner, 4 * filters, 1, gain=0.4, normalised=True)
            value = g.relu(g.add(name, inner, short))
    return g.fc("fc", g.average("pool5", value), CLASSES, 2048)


def _mobilenetv1(g: FloatGraph) -> str:
    value = g.relu(g.conv("conv1", g.input, 32, 3, stride=2, pad=1, normalised=True))
    channels = 32
    steps = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2),
             (1024, 1))  # fmt: skip
    for number, (filters, stride) in enumerate(steps, start=2):
        value = g.conv(f"conv{number}/dw", value, channels, 3, stride=stride, pad=1,
                       groups=channels, normalised=True)  # fmt: skip
        value = g.relu(g.conv(f"conv{number}/pw", g.relu(value), filters, 1, normalised=True))
        channels = filters
    return g.fc("fc", g.average("pool", value), CLASSES, 1024)


def _mobilenetv2(g: FloatGraph) -> str:
    value = g.relu6(g.conv("conv1", g.input, 32, 3, stride=2, pad=1, normalised=True))
    channels, number = 32, 0
    for expand, filters, repeats, first_stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):  # fmt: skip
        for repeat in range(repeats):
            number += 1
            name, stride = f"b{number}", first_stride if repeat == 0 else 1
            inner, wide = value, channels * expand
            if expand > 1:
                inner = g.relu6(g.conv(f"{name}/expand", value, wide, 1, normalised=True))
            inner = g.conv(f"{name}/dw", inner, wide, 3, stride=stride, pad=1, groups=wide,
                           normalised=True)  # fmt: skip
            inner = g.conv(f"{name}/project", g.relu6(inner), filters, 1, normalised=True)
            shortcut = stride == 1 and channels == filters
            value = g.add(f"{name}/add", inner, value) if shortcut else inner
            channels = filters
    value = g.relu6(g.conv("conv_last", value, 1280, 1, normalised=True))
    return g.fc("fc", g.average("pool", value), CLASSES, 1280)


#: Every network by the name of its workload.
NETWORKS = {
    "lenet5": ZooNetwork(
        title="LeNet-5", channels=1, size=32, build=_lenet5, source="LeCun et al. 1998"
    ),
    "alexnet": ZooNetwork(
        title="AlexNet", channels=3, size=227, build=_alexnet, source="Krizhevsky et al. 2012"
    ),
    "overfeat": ZooNetwork(
        title="OverFeat", channels=3, size=231, build=_overfeat, source="Sermanet et al. 2014, fast"
    ),
    "vgg16": ZooNetwork(
        title="VGG-16", channels=3, size=224, build=_vgg16, source="Simonyan, Zisserman 2015"
    ),
    "googlenet": ZooNetwork(
        title="GoogLeNet", channels=3, size=224, build=_googlenet, source="Szegedy et al. 2015"
    ),
    "resnet18": ZooNetwork(
        title="ResNet-18", channels=3, size=224, build=_resnet18, source="He et al. 2016"
    ),
    "resnet50": ZooNetwork(
        title="ResNet-50", channels=3, size=224, build=_resnet50, source="He et al. 2016"
    ),
    "mobilenetv1": ZooNetwork(
        title="MobileNetV1", channels=3, size=224, build=_mobilenetv1, source="Howard et al. 2017"
    ),
    "mobilenetv2": ZooNetwork(
        title="MobileNetV2", channels=3, size=224, build=_mobilenetv2, source="Sandler et al. 2018"
    ),
}
