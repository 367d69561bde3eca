"""A board at a serial port, for the driver."""

from collections.abc import Iterator
from contextlib import contextmanager

from stillflow.boards.errors import INSTALL_BOARDS, ToolError
from stillflow.boards.fpga.board import BAUD, Board
from stillflow.compiler.driver import Driver
from stillflow.compiler.link import LinkTransport
from stillflow.compiler.program import Program


class Attachment:
    """A board and the port that it hangs on.

    Parameters
    ----------
    board : Board
        With a bitstream of `stillflow build` in it.
    port : str
        Serial port.
    """

    def __init__(self, board: Board, port: str) -> None:
        self.board = board
        self.port = port

    @contextmanager
    def driver(self, program: Program) -> Iterator[Driver]:
        """Open the port and load a program.

        Raises
        ------
        ValueError
            If the board's memory is too small for it.
        OSError
            If the port cannot be opened.
        ToolError
            If pyserial is not installed.
        DeviceError
            If the board does not answer, or holds something else.
        """
        try:
            from stillflow.boards.fpga.serial_line import SerialLine
        except ImportError as error:
            raise ToolError(f"pyserial was not found: {INSTALL_BOARDS}") from error

        size = self.board.system(program.config).memory_bytes
        if program.size > size:
            raise ValueError(
                f"--board {self.board.name} must have memory for {program.size} bytes of "
                f"{program.network.name}, not {size}"
            )
        line = SerialLine(self.port, BAUD)
        try:
            driver = Driver(LinkTransport(line))
            driver.load(program)
            yield driver
        finally:
            line.close()
