"""The one error of the front end."""


class FrontendError(ValueError):
    """A model that cannot become a network; one line that names file, node and what to change."""


def one_line(error: object) -> str:
    """First sentence of a library's message, without its line breaks."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__
