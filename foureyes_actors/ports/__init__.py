"""The only doors to the world: dumb, bytes or exception out, no parsing.

Nothing outside this package opens a socket, a file, a process, or reads a clock. Everything else is a function of
values and of the ports it is given, so it can be tested without the world and run again from a record.
"""
