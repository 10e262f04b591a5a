"""Learning by gradient at use: proximal policy optimisation with a memory of its own decisions in the loop."""
