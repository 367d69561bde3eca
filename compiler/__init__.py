"""From quantised ONNX networks and layer tables to program images, and the driver."""
