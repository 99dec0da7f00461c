"""Failures that can be run again: replay points, the tape of their port calls, and the form in which both are kept.

A folder of its own, because both ends of the road need it: the pure functions of capture, inference, lm_studio and
readings are replay points, the bug actor writes what they caught, and t00l5et runs it again without any actor.
"""
