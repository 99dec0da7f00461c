"""The embedded model server: the API that LM Studio speaks, in front of the screen readers in ``engine``.

A program of its own: ``python -m foureyes_actors.model_server --port 1234``. FourEyes starts, watches and heals it
exactly as it would LM Studio.
"""
