"""What the process that starts a board's simulation tells the testbench in it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.system.sdram_timing import SdramTiming
from stillflow.hw.system.system_config import SystemConfig

SETTINGS = "STILLFLOW_BOARD"  # environment variable: JSON of `BoardSettings`


@dataclass(frozen=True, kw_only=True)
class BoardSettings:
    """What was built, and what to run.

    Parameters
    ----------
    system : SystemConfig
        What was built.
    model : Path
        Quantised network.
    inputs : Path
        Words of its input for each run, an npy file.
    seed : int
        Of noise.
    alignment : int
        Of what lies in memory.
    """

    system: SystemConfig
    model: Path
    inputs: Path
    seed: int
    alignment: int

    def dump(self) -> str:
        """Give the value of the environment variable `SETTINGS`."""
        memory = self.system.memory
        return json.dumps(
            {
                "accelerator": self.system.accelerator.keys(),
                "memory": memory if isinstance(memory, int) else asdict(memory),
                "bit_cycles": self.system.bit_cycles,
                "model": str(self.model),
                "inputs": str(self.inputs),
                "seed": self.seed,
                "alignment": self.alignment,
            }
        )

    @classmethod
    def load(cls) -> "BoardSettings":
        """Read the environment variable `SETTINGS`."""
        read = json.loads(os.environ[SETTINGS])
        memory = read["memory"]
        system = SystemConfig(
            accelerator=AcceleratorConfig(**read["accelerator"]),
            memory=memory if isinstance(memory, int) else SdramTiming(**memory),
            bit_cycles=read["bit_cycles"],
        )
        return cls(
            system=system, model=Path(read["model"]), inputs=Path(read["inputs"]),
            seed=read["seed"], alignment=read["alignment"],
        )  # fmt: skip
