"""What is done: one folder per noun, pure algorithms, and steps.py as the only door to Prefect."""
