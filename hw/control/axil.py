"""Ports of an AXI4-Lite slave, each with its width."""

from stillflow.hw.csr import CSR_ADDRESS_BITS

AXIL_INPUTS = {
    "awaddr": CSR_ADDRESS_BITS,
    "awprot": 3,
    "awvalid": 1,
    "wdata": 32,
    "wstrb": 4,
    "wvalid": 1,
    "bready": 1,
    "araddr": CSR_ADDRESS_BITS,
    "arprot": 3,
    "arvalid": 1,
    "rready": 1,
}
AXIL_OUTPUTS = {
    "awready": 1,
    "wready": 1,
    "bresp": 2,
    "bvalid": 1,
    "arready": 1,
    "rdata": 32,
    "rresp": 2,
    "rvalid": 1,
}
