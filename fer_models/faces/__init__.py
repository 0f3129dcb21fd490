"""Faces in pictures: where they are, and cut out as a network expects them."""
