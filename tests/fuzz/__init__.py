"""Mutated inputs for every reader: each is read, or refused with a message for the user."""
