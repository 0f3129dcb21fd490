"""ONNX files: models in one portable file, made with torch and run by onnxruntime without it."""
