"""FourEyes from its own folder: ``python run.py`` runs headless, ``python run.py --help`` lists the rest. Installed, it
is the command ``foureyes``."""

from __future__ import annotations

from foureyes_actors.entry import main

if __name__ == "__main__":
    main()
