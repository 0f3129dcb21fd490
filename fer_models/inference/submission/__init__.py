"""The file that a challenge asks for: a prediction for every row of a source."""
