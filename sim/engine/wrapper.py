"""Verilog around the accelerator that makes Verilator fast.

Verilator evaluates all logic behind the inputs at every call, changed or not. Here the inputs go
through registers with a clock of their own, ``drive``: their logic is evaluated once in the cycles
in which the host or the DRAM changes something, and not at all in the others.
"""

from collections.abc import Iterator

from stillflow.hw.csr import CSR_ADDRESS_BITS

TOP = "stillflow"
WRAPPER = "stillflow_bench"


def ports(axi_data_bits: int) -> Iterator[tuple[str, bool, int]]:
    """Give the accelerator's ports but for the clock: name, whether it is an input, and bits."""
    request = {"addr": 32, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3, "id": 1}
    write = {"data": axi_data_bits, "strb": axi_data_bits // 8, "last": 1}
    read = {"data": axi_data_bits, "resp": 2, "last": 1, "id": 1}
    host_request = {"addr": CSR_ADDRESS_BITS, "prot": 3}
    yield "rst", True, 1
    for channel, from_core, fields in (
        ("m_axi_aw", True, request),
        ("m_axi_w", True, write),
        ("m_axi_b", False, {"resp": 2, "id": 1}),
        ("m_axi_ar", True, request),
        ("m_axi_r", False, read),
        ("s_axil_aw", False, host_request),
        ("s_axil_w", False, {"data": 32, "strb": 4}),
        ("s_axil_b", True, {"resp": 2}),
        ("s_axil_ar", False, host_request),
        ("s_axil_r", True, {"data": 32, "resp": 2}),
    ):
        for name, bits in {"valid": 1, **fields}.items():
            yield channel + name, not from_core, bits
        yield f"{channel}ready", from_core, 1
    yield "irq", False, 1


def wrapper(axi_data_bits: int) -> str:
    """Write the module ``WRAPPER`` around the module ``TOP``."""
    head, body, drive, pins = ["input clk", "input drive"], [], [], [".clk(clk)"]
    for name, is_input, bits in ports(axi_data_bits):
        head.append(f"{'input' if is_input else 'output'} [{bits - 1}:0] {name}")
        pins.append(f".{name}({name}{'_q' if is_input else ''})")
        body.append(f'  if ($bits({TOP}.{name}) != {bits}) $error("{name} must have {bits} bits");')
        if is_input:
            body.append(f"  reg [{bits - 1}:0] {name}_q;")
            drive.append(f"    {name}_q <= {name};")
    comma, line = ",\n  ", "\n"
    return (
        f"module {WRAPPER} (\n  {comma.join(head)}\n);\n{line.join(body)}\n"
        f"  always @(posedge drive) begin\n{line.join(drive)}\n  end\n"
        f"  {TOP} {TOP} (\n  {comma.join(pins)}\n  );\nendmodule\n"
    )
