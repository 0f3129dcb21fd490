"""`ferflow review`: pages for decisions by people about images, and their answers."""
