"""Reads game screens: text by PP-OCRv6 on onnxruntime, amounts by their labels, state by words and motion."""
