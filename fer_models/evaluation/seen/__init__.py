"""Which images the weights of a model were trained on, and which of a snapshot are among them."""
