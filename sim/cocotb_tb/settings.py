"""What the process that starts a simulation tells the testbench in it."""

import json
import os
from dataclasses import dataclass
from typing import Self

from stillflow.hw.config import AcceleratorConfig

SETTINGS = "STILLFLOW_BENCH"  # environment variable: JSON of `Settings`


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was built, and what to draw.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator that was built.
    seed : int
        Of networks, data and stalls.
    """

    config: AcceleratorConfig
    seed: int

    def dump(self) -> str:
        """Give the value of the environment variable `SETTINGS`."""
        return json.dumps({"config": self.config.keys(), "seed": self.seed})

    @classmethod
    def load(cls) -> Self:
        """Read the environment variable `SETTINGS`."""
        keys = json.loads(os.environ[SETTINGS])
        return cls(config=AcceleratorConfig(**keys["config"]), seed=keys["seed"])
