"""S3-compatible object stores: the connection, the backend of a store, mirrors of sources."""
