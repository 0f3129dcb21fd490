"""The networks of our own, and the one of dlib."""
