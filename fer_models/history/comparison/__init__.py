"""Two runs compared: settings, data, and their candidates on the same images."""
