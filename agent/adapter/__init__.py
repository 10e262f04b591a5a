"""The training of an adapter: facts about people, their frozen states, and what is learned from them."""
