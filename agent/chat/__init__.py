"""Chat models: the small one that runs on this machine, any other by its name, and how one chooses."""
