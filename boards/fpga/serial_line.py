"""A serial port as a line of bytes for the link."""

import time

import serial

from stillflow.hw.system.uart import BITS

PATIENCE_SECONDS = 0.5  # without a byte, before a request is sent again
SENDING_SECONDS = 5.0  # for a request, before the port is given up


class SerialLine:
    """The host's serial port; a line for `stillflow.compiler.link.LinkTransport`.

    Parameters
    ----------
    port : str
        Device, such as ``/dev/ttyUSB0``, or a URL that pyserial knows.
    baud : int
        Bits per second.

    Raises
    ------
    OSError
        If the port cannot be opened.
    """

    def __init__(self, port: str, baud: int) -> None:
        self._baud = baud
        self._port = serial.serial_for_url(
            port, baudrate=baud, timeout=PATIENCE_SECONDS, write_timeout=SENDING_SECONDS
        )
        self._port.reset_input_buffer()

    def write(self, content: bytes) -> None:
        """Send bytes.

        Raises
        ------
        OSError
            If the port takes none for `SENDING_SECONDS`.
        """
        self._port.write(content)

    def read(self, length: int) -> bytes:
        """Take bytes as they come; fewer if none comes for a while."""
        return self._port.read(length)

    def pause(self, byte_times: int) -> None:
        """Send nothing for so long, and forget what has come."""
        time.sleep(byte_times * BITS / self._baud)
        self._port.reset_input_buffer()

    def close(self) -> None:
        """Give the port back."""
        self._port.close()
