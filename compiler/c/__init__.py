"""The driver in C that goes with a generated accelerator."""

from importlib.resources import files

_NAMES = ("stillflow_driver.c", "stillflow_driver.h")


def driver_files() -> dict[str, str]:
    """Give the driver's sources, file name to text; they include the generated ``stillflow.h``."""
    return {name: files(__name__).joinpath(name).read_text(encoding="utf-8") for name in _NAMES}
