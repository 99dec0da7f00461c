"""``run.py bench``: measures this installation on this machine, with the real parts, and says which targets it meets.

Imports the product; nothing of the product imports it.
"""
