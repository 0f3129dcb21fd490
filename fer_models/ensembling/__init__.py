"""Members combined into one model, and the candidate chosen."""
