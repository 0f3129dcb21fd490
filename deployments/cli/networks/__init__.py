"""`ferflow networks`: the architectures that can be trained."""
