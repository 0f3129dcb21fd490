"""Weight bundles: their files, what is known of them, and which of them ships."""
