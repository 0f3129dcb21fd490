"""The gate before a model becomes the champion, and when to retrain."""
