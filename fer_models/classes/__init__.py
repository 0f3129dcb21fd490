"""Class lists as data: names of expressions, numbering schemes, and the user's own classes."""
