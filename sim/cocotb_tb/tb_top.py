"""Every cocotb test of the accelerator: the module that the simulation loads."""

from stillflow.sim.cocotb_tb import faults, layers, registers

# cocotb finds tests among a module's own names.
for _module in (registers, layers, faults):
    for _name, _value in vars(_module).items():
        if type(_value).__module__.startswith("cocotb"):
            globals()[_name] = _value
