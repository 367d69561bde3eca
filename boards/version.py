"""Version of the installed distribution."""

from importlib import metadata


def version() -> str:
    """Tell the version, ``0+unknown`` where the project runs without being installed."""
    try:
        return metadata.version("stillflow")
    except metadata.PackageNotFoundError:
        return "0+unknown"
