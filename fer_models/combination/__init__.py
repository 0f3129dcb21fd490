"""How the predictions of several networks become one: the stored rules and their arithmetic."""
