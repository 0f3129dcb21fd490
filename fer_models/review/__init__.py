"""Review by a person: the page, the decisions file, and its versions in the store."""
