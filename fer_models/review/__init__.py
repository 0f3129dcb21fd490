"""Review by a person: the page, the decisions file, and stored versions of decisions."""
