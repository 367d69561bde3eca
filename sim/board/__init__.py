"""A board in simulation: the UART's far end, and the SDRAM beside the chip."""
