"""Files as bytes: detection, archives, compression, streams, folders, and image decoding."""
