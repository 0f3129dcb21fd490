"""Files as bytes: archives, compression, streams, names, folders, and image decoding."""
