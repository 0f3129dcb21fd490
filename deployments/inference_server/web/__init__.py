"""What is between a client and the model: addresses, guard, uploads, errors."""
