"""Supervision on Pykka: an inbox that can be trusted, actors that always report their end, and Cerberus, who starts
them in order, replaces the dead and stops them in reverse order. Knows nothing of FourEyes.

Deliveries are *at most once*: a message that was being handled when its actor died is not handled again.
"""
