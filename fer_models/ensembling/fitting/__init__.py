"""The methods that fit a rule to the members' probabilities."""
