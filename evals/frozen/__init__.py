"""Other ways to have a frozen language model know facts, and how it is asked for them."""
