"""all-MiniLM-L6-v2 as a late-interaction encoder: files only; ``late_rag.load_encoder("minilm")`` reads them."""

from pathlib import Path

FOLDER: Path = Path(__file__).resolve().parent / "model"
"""The folder with model_int8.onnx, tokenizer.json and onnx_config.json."""
