"""The recall head: transition templates as slots, the read that acts on them, and the sweeps that value them."""
