"""What `import fer_models` offers: predictions, models and stores in a line of Python each."""
