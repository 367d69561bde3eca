"""``stillflow model``: a network of the survey as a quantised ONNX file."""

import logging
import os
import tempfile
from pathlib import Path

import click

from stillflow.boards.files import write_bytes
from stillflow.compiler.zoo import NETWORKS, Form, write_model


def make_model(name: str, path: Path, *, seed: int = 0, form: Form = "qdq") -> None:
    """Write a network of the zoo; nothing is left where that fails."""
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises on steps already taken
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.onnx"
        write_model(NETWORKS[name], made, seed=seed, form=form)
        write_bytes(path, made.read_bytes())


@click.command("model")
@click.argument("name", type=click.Choice(list(NETWORKS)), metavar="NETWORK")
@click.option("-o", "path", required=True, type=click.Path(path_type=Path), metavar="FILE.onnx",
              help="Where to.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of weights and calibration images.")
@click.option("--form", type=click.Choice(["qdq", "qoperator"]), default="qdq", show_default=True,
              help="Real operators between conversions, or integer ones.")  # fmt: skip
def model(name: str, path: Path, seed: int, form: Form) -> None:
    """Write a network that the survey names, with random weights, quantised.

    NETWORK: lenet5, alexnet, overfeat, vgg16, googlenet, resnet18, resnet50, mobilenetv1 or
    mobilenetv2.
    """
    if seed < 0:
        raise ValueError(f"--seed must not be negative, not {seed}")
    make_model(name, path, seed=seed, form=form)
    click.echo(
        f"{path}: {NETWORKS[name].title} ({NETWORKS[name].source}), {os.stat(path).st_size:,} bytes"
    )
