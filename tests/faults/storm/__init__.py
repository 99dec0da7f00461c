"""A storm over the whole running program: injectors, the account of what was accepted, and the storm itself.

The parts of the world that can be made to fail stand in its real places: a relay with real sockets before the real
embedded model server, the double of OBS, a port before the real store.
"""
