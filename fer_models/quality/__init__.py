"""How good each image and its label are: scores that cleaning decides by and people look at."""
