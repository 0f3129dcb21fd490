"""Heat maps: which places of a face a prediction depends on."""
