"""Graphs of ONNX from safetensors and config, with numpy alone."""
