"""Hugging Face models behind the same API: TrOCR, DiT, OWL-ViT and Grounding DINO, from folders on this machine.

``registry`` finds them without importing torch; ``loading`` imports it, in the model's own thread, when one is loaded.
"""
